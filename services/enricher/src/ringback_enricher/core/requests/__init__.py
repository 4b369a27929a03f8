"""Fetch requests: decoding them, and when a call is asked for again; pure."""
