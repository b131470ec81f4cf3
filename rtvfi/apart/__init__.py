"""The engine in a process of its own, for players in other processes."""
