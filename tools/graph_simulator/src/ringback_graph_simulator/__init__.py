"""Microsoft Graph's call-record API as it behaves, with its faults."""
