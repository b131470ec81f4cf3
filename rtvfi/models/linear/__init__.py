"""Models without weights: a cross-fade, and the nearer picture."""
