"""How fast our worker is, beside the loop a user of the first SDK would have got; `python -m bench sdk` runs it.

Belongs here: the mock engine, the plain loop, one worker process per mode, and the report. It would break if the mock
became the limit, which is why its CPU is reported, too.
"""
