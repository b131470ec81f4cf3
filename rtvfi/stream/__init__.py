"""Video as a stream of frames: decoding, times, planning, interpolation, output. Never mpv."""
