"""The virtual file that mpv reads."""
