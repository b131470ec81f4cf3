"""Our track beside the original in one mpv: adds it, switches between the two, and sets the mpv
options that each of them needs.
"""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.core.errors import PlayerError
from rtvfi.core.files import is_address
from rtvfi.playing.mpv.pictures import films
from rtvfi.playing.mpv.screen import bind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtvfi.engine.build import Viewing
    from rtvfi.playing.mpv.player import Mpv, Track
    from rtvfi.stream.serve.frame_stream import FrameStream

log = logging.getLogger(__name__)

_KEPT_OPEN: Final = {
    "keep-open": "always",
    "keep-open-pause": "no",
    # A seek in a transport stream lands after its target, and near the end on nothing.
    "hr-seek-demuxer-offset": "10",
}
"""mpv options that keep a film open while mpv reads it again."""

_MESSAGE: Final = "rtvfi-switched"

_NEAR_SECONDS: Final = 0.2
_MOST_PICTURES: Final = 3


class Door(Protocol):
    """Makes our tracks available to a player."""

    @property
    def root(self) -> str:
        """The beginning of all addresses of our tracks, and of no other file."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """mpv options needed while it has such a track of a local film."""
        ...

    def offer(self, stream: FrameStream) -> str:
        """Make a stream available; returns its address."""
        ...

    def withdraw(self, stream: FrameStream) -> None:
        """Stop offering a stream; calling it twice is fine."""
        ...


class Tracks:
    """The video tracks of the file mpv plays now.

    Args:
        player: an mpv, here or in another process.
        door: where it opens our tracks.
    """

    def __init__(self, player: Mpv, door: Door) -> None:
        self._mpv = player
        self._door = door
        self._ours: int | None = None
        self._original: int | None = None
        self._is_fresh = False
        """Ours was added and never shown: mpv would read it from its beginning."""
        self._rotation = 0
        """Rotation in degrees that our pictures need; mpv rotates the original by itself."""
        self._turned = 0
        """Degrees that we have added to the user's ``video-rotate``."""
        self._own_options: dict[str, object] | None = None
        """The user's values of the ``_KEPT_OPEN`` options while ours are set; else None."""
        self._awaited = 0.0
        """Position at which mpv reads the film again, seconds."""
        self._num_pictures = 0
        self._marks = itertools.count(1)
        self._mark = 0
        """Number of the newest switch that keeps the film open."""
        self._is_marked = self._is_sought = False
        """mpv has reached that switch; mpv has begun the seek that belongs to it."""
        bind(player, {_MESSAGE: self.marked}, {})
        self._is_undone = False
        """mpv's filters for the original are switched off for our track."""
        self._is_deinterlaced = self._is_told = False
        """The user wants mpv to deinterlace; the user was told that it does not apply to our
        track.
        """

    def begin(self) -> None:
        """Prepare for another file."""
        self._ours = self._original = self._own_options = None
        self._rotation = self._turned = 0
        self._is_undone = False
        player = self._mpv
        for track in player.track_list:  # tracks added too late for the previous file
            if self._is_virtual(track):
                player.command("video-remove", track["id"])

    @property
    def original(self) -> int | None:
        """mpv's number of the track that ours is made from; None without ours."""
        return self._original

    def offer(self, viewing: Viewing, original: int) -> int | None:
        """Add the track of a viewing to the file.

        Args:
            viewing: the viewing.
            original: mpv's number of the track it is made from.

        Returns:
            The number of our previous track, which can be removed once it is not shown.

        Raises:
            PlayerError: mpv refuses it, for example because it is quitting.
        """
        player = self._mpv
        uri = self._door.offer(viewing.stream)
        try:
            # A back buffer of raw frames is useless, and after a kicked read mpv's seek must reach
            # us instead of being served from the buffer.
            player.file_local["demuxer-seekable-cache"] = "no"
            if not is_address(viewing.path):
                for name, value in self._door.options.items():
                    player.file_local[name] = value
            player.command("video-add", uri, "auto", "Interpolated")
        except (SystemError, RuntimeError) as error:  # RuntimeError: no file plays any more
            self._door.withdraw(viewing.stream)
            message = "mpv takes no track beside the film: it ends, or the film plays as it is"
            raise PlayerError(message) from error
        before, self._ours = self._ours, self._number_of(uri)
        self._original, self._rotation = original, viewing.info.rotation
        self._is_fresh = True
        return before

    def withdraw(self, viewing: Viewing) -> None:
        """Stop offering a viewing that is not used any more."""
        self._door.withdraw(viewing.stream)

    def _is_virtual(self, track: Track) -> bool:
        return str(track.get("external-filename", "")).startswith(self._door.root)

    def _number_of(self, uri: str) -> int:
        tracks = self._mpv.track_list
        return next(int(t["id"]) for t in tracks if t.get("external-filename") == uri)

    def choose(self, *, ours: bool, is_playing: bool = True) -> None:
        """Show our track or the original; before playback this applies to the coming file only."""
        if self._ours is None:
            return
        number = self._ours if ours else self._original
        if is_playing:
            self._switch_to(number)
        else:  # in both cases, because by itself mpv would prefer an added track
            self._mpv.file_local["vid"] = number
            self._is_fresh = not ours
        self._fit(ours=ours)

    @property
    def is_ours_selected(self) -> bool:
        """Whether mpv shows our track, whoever selected it."""
        return self._ours is not None and self._mpv.vid == self._ours

    def selected(self) -> int | None:
        """Another video track was selected, by us or by the user.

        Returns:
            Its number if it is an original other than the one ours is made from; else None.
        """
        number = self._mpv.vid
        if self._ours is None or not number:
            return None
        if number not in (self._ours, self._original):
            tracks = films(self._mpv.track_list)
            if any(t["id"] == number and not self._is_virtual(t) for t in tracks):
                return int(number)
        self._fit(ours=number == self._ours)
        if number == self._ours and self._is_fresh:
            self._is_fresh = False
            self._mpv.command("seek", "0", "relative+exact")
        return None

    def _switch_to(self, number: int | None) -> None:
        """Switch to another video track at the current position.

        mpv would read a track that has just been added from its beginning to the current position,
        so we send it there.

        While our track is shown, mpv may read nothing from a film without audio; and mpv 0.35
        treats a transport stream that is read again as ended. So the film is kept open until the
        picture at this position is shown.
        """
        player = self._mpv
        if player.vid == number:
            return
        position = player.time_pos
        has_others = any(t["selected"] and t["type"] == "audio" for t in player.track_list)
        if number == self._ours or has_others or position is None:
            if number == self._ours and self._is_fresh and position is not None:
                self._is_fresh = False
                seek = ("seek", str(position), "absolute+exact")
                player.together(("set", "vid", str(number)), seek)
            else:
                player.vid = number
            self._let_end()
            return
        if self._own_options is None:
            self._own_options = {name: player[name] for name in _KEPT_OPEN}
        self._awaited, self._num_pictures = position, 0
        self._is_sought, self._mark = False, next(self._marks)
        for name, value in _KEPT_OPEN.items():
            player.file_local[name] = value
        player.together(
            ("set", "vid", str(number)),
            # Everything that mpv reports before this mark belongs to earlier seeks.
            ("script-message", _MESSAGE, str(self._mark)),
            ("seek", str(position), "absolute+exact"),
        )

    def marked(self, mark: str) -> None:
        """mpv has reached a switch of ours: the next seek that it reports belongs to it."""
        self._is_marked = self._own_options is not None and mark == str(self._mark)

    def sought(self) -> None:
        """mpv has begun a seek."""
        self._is_sought = self._is_sought or self._is_marked
        self._is_marked = False

    def settled(self) -> None:
        """The picture of a seek or switch is shown; if it is the awaited one, the film may end."""
        if self._own_options is None or not self._is_sought:
            return
        position = self._mpv.time_pos
        self._num_pictures += 1
        # Before that, mpv may show the film's end for a moment; or the user has sought elsewhere.
        is_there = position is not None and abs(position - self._awaited) < _NEAR_SECONDS
        if is_there or self._num_pictures > _MOST_PICTURES:
            self._let_end()

    def _let_end(self) -> None:
        """Restore the user's options for the end of the film."""
        own, self._own_options = self._own_options, None
        for name, value in (own or {}).items():
            self._mpv.file_local[name] = value

    def _fit(self, *, ours: bool) -> None:
        """Set mpv's rotation and deinterlacing for the track that is shown."""
        self._turn(self._rotation if ours else 0)
        self._deinterlace(ours=ours)

    def _turn(self, degrees: int) -> None:
        """Add ``degrees`` to the user's rotation; mpv rotates the original by itself."""
        own = self._mpv["video-rotate"]
        if degrees == self._turned or own is False or not isinstance(own, int):  # "no": never
            return
        self._mpv.file_local["video-rotate"] = (own - self._turned + degrees) % 360
        self._turned = degrees

    def _deinterlace(self, *, ours: bool) -> None:
        """Disable mpv's deinterlacer for our track, whose frames are progressive already."""
        if ours == self._is_undone:
            return
        self._is_undone = ours
        if ours:
            self._is_deinterlaced = self._mpv["deinterlace"] is True
        if self._is_deinterlaced:
            self._mpv.file_local["deinterlace"] = "no" if ours else "yes"
        if ours and self._is_deinterlaced and not self._is_told:
            self._is_told = True
            log.info(
                "mpv's deinterlace=yes applies only without interpolation: use --deinterlace on"
            )

    def remove(self, number: int | None) -> None:
        """Remove a track of ours that is not shown any more."""
        if number is not None:
            self._mpv.command("video-remove", number)
