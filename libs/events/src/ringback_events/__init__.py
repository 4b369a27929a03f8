"""The contract of Ringback's events: models, tokens, projection and the consumer kit."""

__all__ = ["__version__"]

__version__ = "0.1.0"
"""Of the installed package; within a major version what is public keeps its meaning."""
