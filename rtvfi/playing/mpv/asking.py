"""The HTTP options with which mpv requests a film: headers, proxy, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtvfi.playing.mpv.player import Loaded

_TEXTS: Final = {"user-agent": "user_agent", "referrer": "referer", "http-proxy": "http_proxy"}
"""FFmpeg's names of mpv's options."""


def web_options(player: Loaded) -> tuple[tuple[str, str], ...]:
    """FFmpeg options that make our own requests for a film equal to mpv's.

    Many servers send a film only if the request names the page it belongs to. The options come from
    the user, or from mpv's yt-dlp script, which sets them for one film.

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
