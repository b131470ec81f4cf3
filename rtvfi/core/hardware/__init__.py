"""Detects the hardware of this machine, and says which chips can compute."""
