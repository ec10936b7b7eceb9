"""Engines that are killed while they work, and the proof that nothing was lost, doubled or left behind.

`python -m e2e.faults` plays all of it. Nothing here is part of the product: the engine under test is composed from the
product's own parts in `engine.py`, where a trap may be laid in its store and its clock may be turned.
"""
