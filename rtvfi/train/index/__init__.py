"""Training, data and evaluation of networks with a distance index (InterpAny-Clearer)."""
