"""What the store decides: rows, order, winners, failure classes. Pure: no clock, no I/O."""
