"""The embedded network."""
