"""Kafka to PostgreSQL: every version of every call once, the newest on top."""
