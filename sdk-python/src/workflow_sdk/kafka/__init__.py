"""Jobs from Kafka: what an engine publishes with `WE_DISPATCH_MODE=kafka_outbox`.

Here belongs how records are read, held, and committed past; what happens to a job is `workflow_sdk.worker`'s business.
It would break if an offset were committed before every record up to it was settled. Nothing here is imported, and no
Kafka library with it, before a `KafkaRunner` runs.
"""
