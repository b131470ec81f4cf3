"""libmpv set up the way a user of mpv expects it: their configuration, keys, scripts and OSC, plus
ours where free.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import threading
from contextlib import suppress
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
    from collections.abc import Sequence

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
"""libmpv starts as a bare engine; these make it the player. The user's mpv.conf wins over them."""

_command_string = CFUNCTYPE(c_int, c_void_p, c_char_p)(("mpv_command_string", mpv.backend))
"""python-mpv's own takes one argument too many."""

_LEVELS: Final = {"fatal": logging.WARNING, "error": logging.WARNING}
"""What mpv says is for a log, but for this."""


class _Mpv(mpv.MPV):  # type: ignore[misc]  # it has no types
    """python-mpv hands C a null pointer when a player that was terminated is asked for something,
    as by a job that took long: ours raises ``PlayerGone``, and so wherever it would raise its own
    ``ShutdownError``.
    """

    _handle: c_void_p | None = None
    _is_nowhere = False
    """There is nothing here that a window could be opened on, and no other output is wanted."""

    @property
    def handle(self) -> c_void_p:
        if self._handle is None:
            raise PlayerGone("the player has ended")
        return self._handle

    @handle.setter
    def handle(self, value: c_void_p | None) -> None:
        self._handle = value

    def check_core_alive(self) -> None:
        """Raise where the player has ended."""
        if self._core_shutdown:
            raise PlayerGone("the player has ended")

    def together(self, *commands: Sequence[str]) -> None:
        """Carry out commands one after the other, and nothing of mpv's own between them.

        Args:
            commands: names and arguments of one line each.
        """
        _command_string(cast(self.handle, c_void_p), line_of(commands).encode())

    def terminate(self) -> None:
        """End the player; twice is fine."""
        if self._handle is not None:
            super().terminate()

    __del__ = terminate


def _log(level: str, prefix: str, text: str, *, has_output: bool = True) -> None:
    """What mpv says.

    Args:
        level: of it.
        prefix: of what in mpv.
        text: in one or more lines.
        has_output: an output for pictures was named; else mpv tries several in turn, and what the
            first of them lack is no news: that there is no window is said in one sentence.
    """
    is_trying = prefix.startswith("vo/") and not has_output
    number = logging.DEBUG if is_trying else _LEVELS.get(level, logging.DEBUG)
    log.log(number, "mpv %s: %s", prefix, text.rstrip())


def _is_nowhere() -> bool:
    """No display is named and there is no screen: outputs would only complain, one after the other,
    and libwayland past every log.
    """
    named = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")))
    return not named and not any(Path("/dev/dri").glob("card*"))


def open_window(options: Sequence[tuple[str, str]]) -> Libmpv:
    """A player with the user's options.

    Args:
        options: mpv's own, in order, named as on its command line; they win over mpv.conf.

    Raises:
        UsageError: mpv knows no such option or value.
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
        # At construction they are defaults that mpv.conf overrides; set again they hold. What can
        # only be given at construction (config-dir, ...) refuses, and is in force already.
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
    # What is remembered of a film is read by plain mpv, too: our track's number would leave it
    # without a picture, and the turn that our track needs would turn its picture twice.
    for name in ("vid", "video-rotate"):
        if name in player["watch-later-options"]:
            player.command("change-list", "watch-later-options", "remove", name)
    return player


def _blame(options: dict[str, str], error: Exception) -> None:
    """Find the option mpv refused and say so."""
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
    """Give mpv its playlist, as its command line would: shuffled if that is wanted, and begun with
    ``playlist-start``, or with the first film that was left in the middle.

    While mpv starts it looks by the same rules at what it has been given so far. So the entry to
    begin with comes alone, unless it is the first, and the others when it has begun.
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
    """The first film that mpv remembers a position of, else the first."""
    if player["resume-playback"]:
        named = player["watch-later-directory"]
        # The second is where mpv keeps them from 0.36 on.
        places = [named] if named else ["~~/watch_later", "~~state/watch_later"]
        folders = [Path(str(player.command("expand-path", place))) for place in places]
        for number, file in enumerate(files):
            if any((folder / _later_name(player, file)).is_file() for folder in folders):
                return number
    return 0


def _later_name(player: Mpv, file: str) -> str:
    """How mpv calls its file about a film."""
    if player["ignore-path-in-watch-later-config"]:
        file = os.path.basename(file)  # noqa: PTH119 - a Path would take bytes for text
    elif not is_address(file):
        file = os.path.join(os.getcwd(), file)  # noqa: PTH109, PTH118 - as mpv puts them together
    return hashlib.md5(os.fsencode(file), usedforsecurity=False).hexdigest().upper()


def is_missing(player: Mpv) -> bool:
    """No window could be opened for the picture that shall be shown."""
    if not any(track["type"] == "video" and track["selected"] for track in player.track_list):
        return False
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    # What mpv tries last draws into memory then.
    is_unseen = player.current_vo == "sdl" and not player["vo"] and not display
    is_nowhere = isinstance(player, _Mpv) and player._is_nowhere and player.current_vo == "null"
    return player.current_vo is None or is_unseen or is_nowhere
