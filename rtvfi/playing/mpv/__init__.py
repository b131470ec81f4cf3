"""The interface to mpv, in this process (libmpv) or in another one (JSON IPC)."""
