"""Planted bugs: the suite is run against a patched copy of Ringback and has to notice."""
