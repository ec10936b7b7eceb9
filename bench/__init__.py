"""Measurements: ratios and distributions from one run, never a timed test. `make bench` prints the report."""
