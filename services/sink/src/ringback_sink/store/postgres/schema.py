"""Which revision of the store's schema this release reads and writes."""

from pathlib import Path

__all__ = ["REVISION"]

REVISION = max(revision.name[:4] for revision in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
"""The newest of the revisions that ship with it, by their files' names: the store's process does not load the migration
tools to know it. A test compares it with what they say."""
