"""The Kafka runtime: commit, lanes, retries, dead letters, producers, control and status."""
