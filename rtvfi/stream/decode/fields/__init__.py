"""Interlaced video, and films that were stored as interlaced video (telecine)."""
