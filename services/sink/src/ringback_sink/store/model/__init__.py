"""What is stored, in rows that belong to no engine: plain values under the contract's names."""
