"""InterpAny-Clearer: networks that take a distance index per pixel instead of a timestep."""
