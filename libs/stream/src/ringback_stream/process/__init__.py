"""A process on the stream: its start, its flows, their supervision and the watchdog."""
