"""Pictures of two fields, and films that were put into them."""
