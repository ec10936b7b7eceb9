"""Rochallor: a durable workflow engine.

Start at `rochallor.core` for what it does, at `rochallor.serve` for how it runs.
"""

__version__ = "0.1.0"
