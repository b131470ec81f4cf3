"""Turns what was watched into a file."""
