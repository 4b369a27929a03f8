"""The revisions, oldest first; each is plain SQL."""
