"""Files out: encoders, muxing, what is copied beside the pictures."""
