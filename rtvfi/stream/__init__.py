"""Moving pictures: decode, exact time, plan, interpolate, rings, the virtual file. Never mpv."""
