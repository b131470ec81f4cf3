"""Trains the embedded model and InterpAny-Clearer networks."""
