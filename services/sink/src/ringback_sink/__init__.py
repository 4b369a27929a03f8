"""Writes call records to PostgreSQL, newest wins."""
