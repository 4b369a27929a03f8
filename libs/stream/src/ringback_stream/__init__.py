"""The Kafka runtime: the object that commits, lanes, retries, dead letters, producers, control and status.

Pure (no I/O, no clock): `trackers`, `keyqueue`, `breaker`, `failures`, `limit`, `partitions`, `flows`, and the
messages of `dead_letters`. Shell: the rest. Begin reading at `run`, then `consumer`, `keyed`, `trackers`.
"""
