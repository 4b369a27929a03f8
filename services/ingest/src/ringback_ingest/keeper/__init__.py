"""Keeps the subscriptions of the tenants it owns alive."""
