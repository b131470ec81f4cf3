"""Picture quality: metrics and side-by-side evaluation."""
