"""DistilDRBA: DRBA's rhythm in one network for three frames."""
