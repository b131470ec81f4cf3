"""Settings: layers of configuration, profiles and playlists, with checked values."""
