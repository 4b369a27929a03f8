"""Early deferral: what cannot be finished soon leaves its partition, once, so that nothing waits for it (ADR 0039)."""
