"""Ringback under fire: faults as data, one harness that commits them, and one judge that was not there."""
