"""DRBA: RIFE driven by distance ratios, which keeps the timing of the drawings."""
