"""What the operator's command decides: pure functions of what was read, what was asked for and what time it is."""
