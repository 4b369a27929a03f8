"""Whatever cannot be finished soon leaves its partition, once: nobody waits behind it (ADR 0039)."""
