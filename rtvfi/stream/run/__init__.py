"""Threads and rings, and planned actions carried out."""
