"""What the webhook decides, without I/O: which requests are let in, which items are genuine, what they become."""
