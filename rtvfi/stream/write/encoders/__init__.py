"""Encoders, which turn payloads into packets."""
