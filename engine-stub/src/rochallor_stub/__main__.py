"""`python -m rochallor_stub`."""

from rochallor_stub.cli import main

if __name__ == "__main__":
    main()
