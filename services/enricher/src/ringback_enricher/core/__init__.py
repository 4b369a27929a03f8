"""What the enricher decides: pure, without clock, socket or log; time and ids come in as arguments."""
