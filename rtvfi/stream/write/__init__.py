"""Writes output files: encoders, muxing, and the audio, subtitles and chapters that are copied."""
