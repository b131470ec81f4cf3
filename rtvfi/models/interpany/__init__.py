"""InterpAny-Clearer: networks that are told how far every pixel has gone, not what time it is."""
