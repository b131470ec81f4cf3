"""The self-test of a GPU: in a process of its own, before a network first runs on it."""
