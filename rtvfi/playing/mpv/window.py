"""Sets up libmpv as a user of mpv expects it: with their configuration, keys, scripts and OSC.

Also decides with which file a playlist begins, as mpv would do to resume a film (``load``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import threading
from contextlib import contextmanager, suppress
from ctypes import CFUNCTYPE, c_char_p, c_int, c_void_p, cast
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mpv

from rtvfi.core.errors import PlayerError, UsageError
from rtvfi.core.files import is_address
from rtvfi.playing.mpv.screen import PlayerGone, line_of
from rtvfi.settings.mpv_options import sort_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtvfi.playing.mpv.player import Libmpv, Mpv

log = logging.getLogger(__name__)

_AS_MPV: Final = {
    **dict.fromkeys(
        ("config", "osc", "input-default-bindings", "input-vo-keyboard", "ytdl"), "yes"
    ),
    "audio-display": "embedded-first",
    # Wait for the first file, quit after the last: what `mpv FILE...` does.
    "idle": "once",
}
"""libmpv starts without the player's features; these options enable them. The user's mpv.conf
overrides them.
"""

_command_string = CFUNCTYPE(c_int, c_void_p, c_char_p)(("mpv_command_string", mpv.backend))
"""``mpv_command_string``; python-mpv's own declaration has one argument too many."""

_LEVELS: Final = {"fatal": logging.WARNING, "error": logging.WARNING}
"""Levels of mpv's messages that are shown to the user; the others go to the log only."""


class _Mpv(mpv.MPV):  # type: ignore[misc]  # it has no types
    """python-mpv passes a null pointer to C when a terminated player is used, for example by a slow
    job. This class raises ``PlayerGone`` instead, also in place of python-mpv's ``ShutdownError``.
    """

    _handle: c_void_p | None = None
    _is_nowhere = False
    """There is no display, and the user chose no other video output."""

    @property
    def handle(self) -> c_void_p:
        if self._handle is None:
            raise PlayerGone("the player has ended")
        return self._handle

    @handle.setter
    def handle(self, value: c_void_p | None) -> None:
        self._handle = value

    def check_core_alive(self) -> None:
        """Raise ``PlayerGone`` if the player has ended."""
        if self._core_shutdown:
            raise PlayerGone("the player has ended")

    def soon(self, name: str, /, *arguments: object) -> None:
        """Run a command without waiting for it.

        Raises:
            PlayerGone: mpv has ended.
        """
        self.check_core_alive()
        self.command_async(name, *arguments)

    def together(self, *commands: Sequence[str]) -> None:
        """Run commands one after the other, without anything of mpv's in between.

        Args:
            commands: name and arguments of each command, without newlines.
        """
        _command_string(cast(self.handle, c_void_p), line_of(commands).encode())

    def terminate(self) -> None:
        """End the player; calling it twice is fine."""
        if self._handle is not None:
            super().terminate()

    __del__ = terminate


def _log(level: str, prefix: str, text: str, *, has_output: bool = True) -> None:
    """Log a message of mpv.

    Args:
        level: mpv's level of the message.
        prefix: the part of mpv it comes from.
        text: one or more lines.
        has_output: the user named a video output. Otherwise mpv tries several in turn, and their
            errors are only logged: if no window opens, that is reported in one sentence elsewhere.
    """
    is_trying = prefix.startswith("vo/") and not has_output
    number = logging.DEBUG if is_trying else _LEVELS.get(level, logging.DEBUG)
    log.log(number, "mpv %s: %s", prefix, text.rstrip())


def _is_nowhere() -> bool:
    """Whether there is no display. Trying all video outputs would then only print errors, those of
    libwayland even past the log.
    """
    named = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")))
    return not named and not any(Path("/dev/dri").glob("card*"))


@contextmanager
def only_script(path: str) -> Iterator[None]:
    """Context manager of a window in which no copy of our script runs but this one: not the one
    that ``rtvfi mpv --install`` put into the user's folder. Programs started later may have theirs.

    Args:
        path: path of the script; "none" = no copy at all.
    """
    os.environ["RTVFI_SCRIPT"] = path
    try:
        yield
    finally:
        del os.environ["RTVFI_SCRIPT"]


def open_window(options: Sequence[tuple[str, str]]) -> Libmpv:
    """Create a player with the user's options.

    Args:
        options: mpv options in order, named as on its command line; they override mpv.conf.

    Raises:
        UsageError: mpv does not know an option or its value.
        PlayerError: mpv does not start.
    """
    sorted_out = sort_out(options)
    given = {**sorted_out.values, **sorted_out.at_start}
    level = "v" if log.isEnabledFor(logging.DEBUG) else "error"
    has_output = "vo" in given
    is_nowhere = not has_output and _is_nowhere()
    start = {**_AS_MPV, **({"vo": "null"} if is_nowhere else {}), **given}
    handler = partial(_log, has_output=has_output)
    try:
        player = _Mpv(log_handler=handler, loglevel=level, **start)
    except (AttributeError, ValueError, TypeError) as error:
        _blame(given, error)
        raise PlayerError(f"mpv does not start: {error}") from error
    player._is_nowhere = is_nowhere
    for name, value in sorted_out.values.items():
        # Options given at construction are defaults that mpv.conf overrides, so they are set again.
        # Those that can be set only at construction (config-dir, ...) refuse, and apply already.
        try:
            player[name] = value
        except (AttributeError, ValueError, TypeError, RuntimeError, SystemError):
            log.debug("mpv option %s can only be set at start", name)
    for name, operation, value in sorted_out.changes:
        try:
            player.command("change-list", name, operation, value)
        except (AttributeError, ValueError, TypeError, RuntimeError, SystemError) as error:
            player.terminate()
            raise UsageError(
                f'mpv has no list "{name}" that takes "{value}" ({operation})',
                "mpv --list-options lists them",
            ) from error
    # Plain mpv reads the remembered state of a film, too: our track's number would leave it without
    # video, and the rotation that our track needs would rotate its picture twice.
    for name in ("vid", "video-rotate"):
        if name in player["watch-later-options"]:
            player.command("change-list", "watch-later-options", "remove", name)
    return player


def _blame(options: dict[str, str], error: Exception) -> None:
    """Raise an error that names the option that mpv refused."""
    for name, value in options.items():
        probe = mpv.MPV()
        try:
            probe[name] = value
        except AttributeError:
            raise UsageError(
                f'mpv has no option "{name}"', "mpv --list-options lists them"
            ) from error
        except (TypeError, ValueError):
            raise UsageError(f'mpv refuses "{value}" for its option "{name}"') from error
        except (RuntimeError, SystemError):
            continue
        finally:
            probe.terminate()


def load(player: Libmpv, files: Sequence[str]) -> None:
    """Give mpv its playlist, as its command line does: shuffled if requested, and starting with
    ``playlist-start``, or with the first film that has a remembered position (resuming it).

    While mpv starts, it applies the same rules to the entries it has so far. So the entry to start
    with is loaded alone, unless it is the first, and the others are added when it has begun.
    """
    files = list(files)
    if player["shuffle"]:
        random.shuffle(files)
    start = player["playlist-start"]
    first = start if isinstance(start, int) and 0 <= start < len(files) else _left(player, files)
    if first == 0:
        for file in files:
            player.loadfile(file, "append-play")
        return
    has_begun = threading.Event()
    player.event_callback("start-file", "shutdown")(lambda _: has_begun.set())
    player.loadfile(files[first], "append-play")
    has_begun.wait()
    with suppress(PlayerGone):
        for file in files[:first] + files[first + 1 :]:
            player.loadfile(file, "append")
        player.command("playlist-move", 0, first + 1)


def _left(player: Mpv, files: Sequence[str]) -> int:
    """Index of the first film with a remembered position, else 0."""
    if player["resume-playback"]:
        named = player["watch-later-directory"]
        # mpv uses the second folder from 0.36 on.
        places = [named] if named else ["~~/watch_later", "~~state/watch_later"]
        folders = [Path(str(player.command("expand-path", place))) for place in places]
        for number, file in enumerate(files):
            if any((folder / _later_name(player, file)).is_file() for folder in folders):
                return number
    return 0


def _later_name(player: Mpv, file: str) -> str:
    """Name of the file in which mpv remembers the position of a film."""
    if player["ignore-path-in-watch-later-config"]:
        file = os.path.basename(file)  # noqa: PTH119 - a Path would take bytes for text
    elif not is_address(file):
        file = os.path.join(os.getcwd(), file)  # noqa: PTH109, PTH118 - as mpv puts them together
    return hashlib.md5(os.fsencode(file), usedforsecurity=False).hexdigest().upper()


def is_missing(player: Mpv) -> bool:
    """Whether no window could be opened although there is video to show."""
    if not any(track["type"] == "video" and track["selected"] for track in player.track_list):
        return False
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    # Without a display, the last output that mpv tries (sdl) draws into memory.
    is_unseen = player.current_vo == "sdl" and not player["vo"] and not display
    is_nowhere = isinstance(player, _Mpv) and player._is_nowhere and player.current_vo == "null"
    return player.current_vo is None or is_unseen or is_nowhere
