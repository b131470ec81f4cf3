"""``rtvfi bench``: what this machine can do, and the settings that follow from it."""
