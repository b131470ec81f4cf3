"""Our track beside the original inside one mpv: offering it, choosing between the two, and what
mpv must do with one and not with the other.
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
    # A seek in a transport stream lands behind its aim, and near the end on nothing.
    "hr-seek-demuxer-offset": "10",
}
"""What keeps a film open while it is read again."""

_MESSAGE: Final = "rtvfi-switched"

_NEAR_SECONDS: Final = 0.2
_MOST_PICTURES: Final = 3


class Door(Protocol):
    """Where a player opens our tracks."""

    @property
    def root(self) -> str:
        """What every address begins with, and no other file."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """What mpv must do while it has such a track of a film that is here."""
        ...

    def offer(self, stream: FrameStream) -> str:
        """The address of a stream from now on."""
        ...

    def withdraw(self, stream: FrameStream) -> None:
        """It is over; twice is fine."""
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
        self._rotation = 0
        """Degrees that our pictures need and mpv gives the original by itself."""
        self._turned = 0
        """Degrees that ``video-rotate`` has from us now, on top of the user's."""
        self._own_options: dict[str, object] | None = None
        """The user's, while those of ``_KEPT_OPEN`` are in force."""
        self._awaited = 0.0
        """Where the film is read again."""
        self._num_pictures = 0
        self._marks = itertools.count(1)
        self._mark = 0
        """Of the newest switch that keeps the film open."""
        self._is_marked = self._is_sought = False
        """mpv has come to that switch; and has begun its seek."""
        bind(player, {_MESSAGE: self.marked}, {})
        self._is_undone = False
        """What the original needs of mpv's filters is switched off for ours."""
        self._is_deinterlaced = self._is_told = False
        """The user wants mpv to take pictures apart."""

    def begin(self) -> None:
        """Another file is about to play."""
        self._ours = self._original = self._own_options = None
        self._rotation = self._turned = 0
        self._is_undone = False
        player = self._mpv
        for track in player.track_list:  # what came too late for the file before
            if self._is_virtual(track):
                player.command("video-remove", track["id"])

    @property
    def original(self) -> int | None:
        """mpv's number of the track that ours is made of."""
        return self._original

    def offer(self, viewing: Viewing, original: int) -> int | None:
        """Add the track of a viewing to the file.

        Args:
            viewing: what is shown on it.
            original: mpv's number of the track it is made of.

        Returns:
            The number of our track before it, which can be removed once it is not shown.

        Raises:
            PlayerError: mpv does not take it, as when it was told to quit meanwhile.
        """
        player = self._mpv
        uri = self._door.offer(viewing.stream)
        try:
            # A back buffer of raw frames is useless, and a kicked read relies on seeks that reach
            # us.
            player.file_local["demuxer-seekable-cache"] = "no"
            if not is_address(viewing.path):
                for name, value in self._door.options.items():
                    player.file_local[name] = value
            player.command("video-add", uri, "auto", "Interpolated")
        except (SystemError, RuntimeError) as error:  # the second: no file plays any more
            self._door.withdraw(viewing.stream)
            message = "mpv takes no track beside the film: it ends, or the film plays as it is"
            raise PlayerError(message) from error
        before, self._ours = self._ours, self._number_of(uri)
        self._original, self._rotation = original, viewing.info.rotation
        return before

    def let_go(self, viewing: Viewing) -> None:
        """A viewing is over."""
        self._door.withdraw(viewing.stream)

    def _is_virtual(self, track: Track) -> bool:
        return str(track.get("external-filename", "")).startswith(self._door.root)

    def _number_of(self, uri: str) -> int:
        tracks = self._mpv.track_list
        return next(int(t["id"]) for t in tracks if t.get("external-filename") == uri)

    def choose(self, *, ours: bool, is_playing: bool = True) -> None:
        """Show our track or the original; before playback it is set for the coming file only."""
        if self._ours is None:
            return
        number = self._ours if ours else self._original
        if is_playing:
            self._switch_to(number)
        else:  # either way: left to itself mpv would prefer an added track
            self._mpv.file_local["vid"] = number
        self._fit(ours=ours)

    @property
    def is_ours_selected(self) -> bool:
        """Whether mpv shows our track now, whoever chose it."""
        return self._ours is not None and self._mpv.vid == self._ours

    def selected(self) -> int | None:
        """Somebody chose another video track, we or the user.

        Returns:
            Its number when it is another original than ours is made of.
        """
        number = self._mpv.vid
        if self._ours is None or not number:
            return None
        if number not in (self._ours, self._original):
            tracks = films(self._mpv.track_list)
            if any(t["id"] == number and not self._is_virtual(t) for t in tracks):
                return int(number)
        self._fit(ours=number == self._ours)
        return None

    def _switch_to(self, number: int | None) -> None:
        """Another video track, at this moment of the film.

        While ours is shown, nothing may be read from a film without sound, and mpv 0.35 takes a
        transport stream that is read again for one that is over. It is kept open until the picture
        of this moment is there.
        """
        player = self._mpv
        if player.vid == number:
            return
        position = player.time_pos
        has_others = any(t["selected"] and t["type"] == "audio" for t in player.track_list)
        if number == self._ours or has_others or position is None:
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
            # Whatever mpv tells before this belongs to seeks before it.
            ("script-message", _MESSAGE, str(self._mark)),
            ("seek", str(position), "absolute+exact"),
        )

    def marked(self, mark: str) -> None:
        """mpv has got as far as a switch of ours: the next seek that it tells of belongs to it."""
        self._is_marked = self._own_options is not None and mark == str(self._mark)

    def sought(self) -> None:
        """mpv has begun a seek."""
        self._is_sought = self._is_sought or self._is_marked
        self._is_marked = False

    def settled(self) -> None:
        """A seek or switch has its picture: when it is the awaited one, the film may end again."""
        if self._own_options is None or not self._is_sought:
            return
        position = self._mpv.time_pos
        self._num_pictures += 1
        # Before it, mpv may show the film's end for a moment; or the user has gone elsewhere.
        is_there = position is not None and abs(position - self._awaited) < _NEAR_SECONDS
        if is_there or self._num_pictures > _MOST_PICTURES:
            self._let_end()

    def _let_end(self) -> None:
        """The film ends again as the user wants it."""
        own, self._own_options = self._own_options, None
        for name, value in (own or {}).items():
            self._mpv.file_local[name] = value

    def _fit(self, *, ours: bool) -> None:
        """What mpv does to the pictures suits the track that is shown."""
        self._turn(self._rotation if ours else 0)
        self._deinterlace(ours=ours)

    def _turn(self, degrees: int) -> None:
        """Turn pictures by so much on top of what the user wants; mpv turns the original itself."""
        own = self._mpv["video-rotate"]
        if degrees == self._turned or own is False or not isinstance(own, int):  # "no": never
            return
        self._mpv.file_local["video-rotate"] = (own - self._turned + degrees) % 360
        self._turned = degrees

    def _deinterlace(self, *, ours: bool) -> None:
        """Ours has whole pictures: mpv's filter would take every one apart into two fields."""
        if ours == self._is_undone:
            return
        self._is_undone = ours
        if ours:
            self._is_deinterlaced = self._mpv["deinterlace"] is True
        if self._is_deinterlaced:
            self._mpv.file_local["deinterlace"] = "no" if ours else "yes"
        if ours and self._is_deinterlaced and not self._is_told:
            self._is_told = True
            log.info("mpv's deinterlace=yes is for the film as it is; here: --deinterlace on")

    def remove(self, number: int | None) -> None:
        """Take away a track of ours that is not shown any more."""
        if number is not None:
            self._mpv.command("video-remove", number)
