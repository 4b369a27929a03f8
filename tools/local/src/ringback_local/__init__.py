"""Kafka, PostgreSQL and the whole stack on one machine."""
