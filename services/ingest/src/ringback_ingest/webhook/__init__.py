"""Answers Graph: the validation echo, notifications and lifecycle events. Holds no Graph credential."""
