"""One quota for all processes that ask the same service: who may use how much of it, agreed in the control topic."""
