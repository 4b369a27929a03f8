"""What the keeper decides, without I/O: which subscription to create, renew, recreate or report."""
