"""Adds our entries to mpv's context menu.

From mpv 0.38 on, the property ``menu-data`` holds the menu. 0.41 can draw it. 0.42 fills it from
``menu.conf`` when the first window opens, and replaces it as a whole whenever an entry changes; our
entries are then added again. Source: mpv's DOCS/man/context_menu.rst.
"""

from __future__ import annotations

from contextlib import suppress
from ctypes import c_char_p, c_void_p, cast, pointer
from typing import TYPE_CHECKING, Final

import mpv

from rtvfi.playing.mpv.screen import PlayerGone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtvfi.playing.mpv.player import Libmpv

TITLE: Final = "Smooth motion"
"""Title of our submenu; ``rtvfi.lua`` has the same."""

_Format: Final = mpv.MpvFormat


def offer(player: Libmpv, keys: Mapping[str, tuple[str, str]]) -> None:
    """Add a submenu with an entry for each key, and keep it for as long as the player lives.

    Args:
        player: an mpv in this process; nothing is done if it has no such menu.
        keys: script-message and description, by key.
    """
    entries = [
        {"title": text[0].upper() + text[1:], "cmd": f"script-message {message}", "shortcut": key}
        for key, (message, text) in keys.items()
    ]
    ours = {"type": "submenu", "title": TITLE, "submenu": entries}

    def add(_: str, menu: object) -> None:
        if isinstance(menu, list) and all(item.get("title") != TITLE for item in menu):
            with suppress(PlayerGone, SystemError):
                _set(player, "menu-data", [*menu, ours])

    player.observe_property("menu-data", add)


def _set(player: Libmpv, name: str, value: object) -> None:
    """Set a property to nested lists and mappings of text; python-mpv accepts only flat ones."""
    kept: list[object] = []
    node = _node(value, kept)
    mpv._mpv_set_property(player.handle, name.encode(), _Format.NODE, cast(pointer(node), c_void_p))


def _node(value: object, kept: list[object]) -> mpv.MpvNode:
    """Convert a value to libmpv's node type.

    Args:
        value: text, or a list or mapping of values.
        kept: objects that must live as long as the node are appended to it.
    """
    if not isinstance(value, list | dict):
        text = str(value).encode("utf-8", "surrogateescape")
        kept.append(text)
        return mpv.MpvNode(format=_Format.STRING, val=mpv.MpvNodeUnion(string=text))
    names = [name.encode() for name in value] if isinstance(value, dict) else None
    nodes = [_node(item, kept) for item in (value.values() if isinstance(value, dict) else value)]
    entries = mpv.MpvNodeList(
        num=len(nodes),
        values=(mpv.MpvNode * len(nodes))(*nodes),
        keys=None if names is None else (c_char_p * len(names))(*names),
    )
    kept += [nodes, names, entries]
    if names is None:
        union, kind = mpv.MpvNodeUnion(list=pointer(entries)), _Format.NODE_ARRAY
    else:
        union, kind = mpv.MpvNodeUnion(map=pointer(entries)), _Format.NODE_MAP
    return mpv.MpvNode(format=kind, val=union)
