"""Which revision of the store's schema this release reads and writes."""

__all__ = ["REVISION"]

REVISION = "0010"
"""The newest revision in `migrations/versions`; a test compares them. A constant, so that the store's process need not
load the migration tools to know it."""
