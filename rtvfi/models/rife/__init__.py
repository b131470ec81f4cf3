"""RIFE 4.x, every version of it."""
