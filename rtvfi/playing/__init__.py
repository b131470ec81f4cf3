"""The parts of the player: choice of what is shown, keys, overlay, messages, report."""
