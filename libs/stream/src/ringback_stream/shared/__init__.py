"""What the processes share through Kafka: the control table, waits, status reports, compacted topics."""
