"""Turns a file into frames with exact times."""
