"""The pure core: what a workflow does, as values in and values out.

Belongs here: definitions, expressions, and the machine that turns (state, command) into (state, events).
Would break it: a clock, a random number, a lock, a log line, a query. Time and chance arrive as arguments.
"""
