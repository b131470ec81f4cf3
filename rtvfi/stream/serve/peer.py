"""Who is at the other end of a Unix socket, and what its addresses look like."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

SCHEME: Final = "rtvfi"
"""Addresses are ``rtvfi://NAME/TOKEN/FILE#SIZE``: the socket's name without its leading zero byte,
a path for the server and the size of the file in bytes.
"""
_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred``: process, user and group."""


def is_peer_another_user(connection: socket.socket) -> bool:
    """Whether a connected Unix socket leads to a process of another user."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return bool(user != os.getuid())
