"""SAFA: clean-up of two neighbouring pictures, same size, same rate."""
