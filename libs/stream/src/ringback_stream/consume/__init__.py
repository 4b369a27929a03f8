"""From a poll to a finished, committed record: polls, back-pressure, runners, outcomes, offsets."""
