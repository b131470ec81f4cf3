"""``rtvfi bench``: measures how fast this machine is and chooses settings for it."""
