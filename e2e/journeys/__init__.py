"""Journeys: whole workflows on real engines, databases and workers, and where each has to end, killed or not.

`python -m e2e.journeys` plays the matrix. A journey is data (`journey`, `loan`, `shapes`); everything else plays it.
"""
