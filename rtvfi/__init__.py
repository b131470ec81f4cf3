"""rtvfi: live frame interpolation for anime, shown in mpv."""
