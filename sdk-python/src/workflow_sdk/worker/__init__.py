"""The worker: one core on an event loop, from claiming a job to having reported it.

Here belongs what every face of the worker shares; a face (`Runner`, `AsyncRunner`, `KafkaRunner`) says where jobs come
from and on which thread the loop runs. Modules, from the inside out: pure rules (`pace`, `report_rules`, `limits`),
bookkeeping (`slots`, `claimed`), the parts (`reporter`, `batches`, `poller`, `leases`, `threads`, `desk`), and
`worker`, which puts them together.
"""
