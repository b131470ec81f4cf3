"""What was asked for, checked: layers of configuration, profiles, playlists."""
