"""Analyses the film: cuts, repeated frames, cadence."""
