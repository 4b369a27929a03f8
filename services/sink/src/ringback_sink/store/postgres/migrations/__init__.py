"""The store's schema as a chain of revisions, applied by `ringback-sink migrate`."""
