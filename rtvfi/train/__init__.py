"""Procedural cel scenes with exact truth, and the trainer of the embedded model."""
