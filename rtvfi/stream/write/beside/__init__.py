"""What a film has beside its pictures, on its way into a file."""
