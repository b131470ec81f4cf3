"""DistilDRBA: the timing of DRBA in a single network for three frames."""
