"""The clip that plays when no file is given, drawn by code."""
