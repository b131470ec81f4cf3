"""Moving pictures: decode, exact time, planning, interpolation, rings, the virtual file. Never mpv."""
