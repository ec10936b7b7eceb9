"""`python -m rochallor` is `rochallor`."""

from rochallor.cli import main

main()
