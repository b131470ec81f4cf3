"""Encoders: payloads in, packets out."""
