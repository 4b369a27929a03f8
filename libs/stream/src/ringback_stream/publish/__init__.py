"""Writing to Kafka: the idempotent producer, acknowledged stages, group commit."""
