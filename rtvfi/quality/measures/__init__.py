"""Numbers that say how near a picture is to the truth."""
