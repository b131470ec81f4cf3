"""RIFE 4.x: all released versions."""
