"""DRBA: RIFE driven by distance ratios, the drawing's own timing kept."""
