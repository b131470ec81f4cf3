"""SAFA: removes noise and blur from pictures; it does not interpolate."""
