"""What this machine is made of, and which chips can compute."""
