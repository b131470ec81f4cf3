"""What we use of an mpv: python-mpv's ``MPV`` in this process or a ``RemoteMpv``. Types alone.

Properties are attributes, options are items; both take the names of mpv's manual, attributes with
``_`` for ``-``. Neither library declares them: what mpv's manual says of each is written down here
once. A property is None while mpv has no value for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ctypes import c_void_p

Track = TypedDict(
    "Track",
    {
        "id": int,
        "type": str,
        "selected": bool,
        "default": bool,
        "albumart": bool,
        "image": bool,
        "lang": str,
        "ff-index": int,
        "external": bool,
        "external-filename": str,
    },
    total=False,
)
"""An entry of ``track-list``: every one has ``id``, ``type`` and ``selected``; old versions of mpv
and files without a word on it lack the others.
"""


NumberName = Literal["avsync", "display-fps", "speed", "time-pos"]
"""Properties that are observed, by what they are."""
CountName = Literal["frame-drop-count"]
FlagName = Literal["core-idle", "window-minimized"]
OtherName = Literal["menu-data", "vid"]


class Entry(TypedDict):
    """An entry of ``playlist``."""

    id: int
    filename: str


Data_co = TypeVar("Data_co", covariant=True)


class Event(Protocol[Data_co]):
    """What python-mpv tells a handler of an event."""

    @property
    def data(self) -> Data_co:
        """What belongs to events of this name."""
        ...


class Hook(Protocol):
    """Of a "hook": which, and what tells mpv to go on."""

    name: str | bytes
    id: int


class EndFile(Protocol):
    """Of an "end-file": the entry of the playlist, and why it ended."""

    playlist_entry_id: int
    reason: int
    error: int
    """One of libmpv's, negative; counts where the reason is ``ERROR``."""
    ERROR: int


class Raw(Protocol):
    """Properties as they are: text that is none comes as bytes, or with surrogates."""

    path: str | bytes
    """What mpv calls the file that plays."""
    stream_open_filename: str | bytes | None
    """What it opens for that."""


class Options(Protocol):
    """Options that hold for the file that plays, and no longer."""

    def __setitem__(self, name: str, value: object, /) -> None:
        """Set an option."""
        ...


class Loaded(Protocol):
    """What an mpv says of the film it has loaded."""

    duration: float | None
    """Seconds."""
    demuxer_start_time: float | None
    """Seconds."""
    display_fps: float | None
    track_list: Sequence[Track]

    def __getitem__(self, name: str, /) -> object:
        """The value of an option."""
        ...


class Mpv(Loaded, Protocol):
    """An mpv. Whatever is asked of one that has ended raises ``PlayerGone``."""

    vid: int | str | None
    """Number of the video track that is shown; False = none, "auto" before one was chosen."""
    playlist: Sequence[Entry]
    time_pos: float | None
    """Seconds."""
    audio_pts: float | None
    """Seconds; of the sound that is heard."""
    seekable: bool | None
    current_demuxer: str | None
    current_vo: str | None
    edition_list: Sequence[object] | None
    """Editions of Matroska; from mpv 0.42 on programs of a transport stream, too."""
    estimated_display_fps: float | None
    """What mpv measures while it keeps time by the display."""
    mpv_version: str

    @property
    def raw(self) -> Raw:
        """Properties as they are."""
        ...

    @property
    def file_local(self) -> Options:
        """Options that hold for the file that plays."""
        ...

    def __setitem__(self, name: str, value: object, /) -> None:
        """Set an option."""
        ...

    def command(self, name: str, /, *arguments: object) -> object:
        """Carry out a command and wait for it.

        Raises:
            SystemError: mpv refuses it.
        """
        ...

    def together(self, *commands: Sequence[str]) -> None:
        """Carry out commands with nothing of mpv's own between them; nothing is answered."""
        ...

    @overload
    def observe_property(
        self, name: NumberName, handler: Callable[[str, float | None], object], /
    ) -> None: ...
    @overload
    def observe_property(
        self, name: CountName, handler: Callable[[str, int | None], object], /
    ) -> None: ...
    @overload
    def observe_property(
        self, name: FlagName, handler: Callable[[str, bool | None], object], /
    ) -> None: ...
    @overload
    def observe_property(
        self, name: OtherName, handler: Callable[[str, object], object], /
    ) -> None: ...
    def observe_property(self, name: str, handler: Callable[..., object], /) -> None:
        """Call ``handler`` with name and value, now and whenever the value changes."""
        ...

    def event_callback(self, *names: str) -> Callable[[Callable[..., object]], object]:
        """Call the handler that is given to the result with each event of these names."""
        ...

    def register_message_handler(self, name: str, handler: Callable[..., object], /) -> None:
        """Call ``handler`` with the words that follow a script-message of that name."""
        ...

    def register_key_binding(self, key: str, command: str, /, mode: str = ...) -> None:
        """Bind a key to a command."""
        ...


class Libmpv(Mpv, Protocol):
    """One in this process."""

    @property
    def handle(self) -> c_void_p:
        """The player's, for functions of the library."""
        ...

    _event_handle: c_void_p
    """That whose events python-mpv reads."""

    def loadfile(self, name: str, mode: str = ..., /) -> None:
        """Play a file, or append it to the playlist."""
        ...

    def terminate(self) -> None:
        """End it; twice is fine."""
        ...
