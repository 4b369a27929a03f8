"""What the webhook touches: sockets, spans."""
