"""The contract of Ringback's events: models, tokens, projection and the consumer kit."""
