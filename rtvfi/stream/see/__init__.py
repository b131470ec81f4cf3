"""What the film does: cuts, repeated frames, cadence."""
