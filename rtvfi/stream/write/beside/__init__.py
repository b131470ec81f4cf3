"""Copies audio, subtitles, covers and chapters from a film into a file."""
