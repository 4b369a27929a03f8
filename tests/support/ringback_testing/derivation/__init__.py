"""A fixed corpus of call records, and what the derivation and the projection make of it."""
