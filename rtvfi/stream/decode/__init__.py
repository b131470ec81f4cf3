"""File to exact frames."""
