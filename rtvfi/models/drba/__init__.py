"""DRBA and DistilDRBA: three frames, the drawing's own timing."""
