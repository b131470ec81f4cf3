"""The virtual Matroska file that players read."""
