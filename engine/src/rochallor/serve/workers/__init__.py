"""WE_WORKERS: several engine processes behind one set of ports, and one process that looks after them.

The parent reserves the ports, starts the workers, replaces those that die, adds up their metrics and stops them. It
serves no request. A worker is an engine like any other, as if it ran on a host of its own; the database is all they
share (docs/adr/0009).
"""

from rochallor.serve.workers.parent import serve_many

__all__ = ["serve_many"]
