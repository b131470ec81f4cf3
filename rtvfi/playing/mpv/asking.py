"""How an mpv asks a server for a film: what it says with a request, and by which proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtvfi.playing.mpv.player import Loaded

_TEXTS: Final = {"user-agent": "user_agent", "referrer": "referer", "http-proxy": "http_proxy"}
"""FFmpeg's names of mpv's options."""


def web_options(player: Loaded) -> tuple[tuple[str, str], ...]:
    """FFmpeg's options that make our own reading of an address look like mpv's to its server.

    Many give a film only to whoever names the page it is from. They are the user's options, or
    those that mpv's script for yt-dlp sets for one film.

    Args:
        player: has the film open.
    """
    found: dict[str, str] = {}
    for name, theirs in _TEXTS.items():
        value = player[name]
        if isinstance(value, str) and value:
            found[theirs] = value
    fields = player["http-header-fields"]
    if isinstance(fields, list) and fields:
        found["headers"] = "".join(f"{field}\r\n" for field in fields)
    if player["tls-verify"] is True:
        found["tls_verify"] = "1"
        authority = player["tls-ca-file"]
        if isinstance(authority, str) and authority:
            found["ca_file"] = authority
    more = player["stream-lavf-o"]
    if isinstance(more, dict):  # cookies, from the script for yt-dlp
        found |= {str(name): str(value) for name, value in more.items()}
    return tuple(found.items())
