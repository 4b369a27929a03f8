"""Fetches whole call records, derives facts and publishes both tiers."""
