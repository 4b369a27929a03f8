"""What the keeper touches: Graph's subscriptions and the audit topic."""
