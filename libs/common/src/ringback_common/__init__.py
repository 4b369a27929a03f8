"""What every Ringback process shares: outcomes, errors, settings, telemetry, health."""
