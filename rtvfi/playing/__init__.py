"""The parts of the player: what is shown, keys, overlay, messages, report."""
