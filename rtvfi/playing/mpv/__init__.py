"""libmpv as the player uses it."""
