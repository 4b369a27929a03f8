"""From Graph's JSON to the restricted record; pure."""
