"""What was watched becomes a file."""
