"""Receives Graph's notifications and keeps its subscriptions alive."""
