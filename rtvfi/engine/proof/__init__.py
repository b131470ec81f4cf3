"""The self-test of a GPU, in a child process, before a network first runs on it."""
