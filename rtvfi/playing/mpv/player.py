"""The part of mpv's interface that we use, as types: ``MPV`` of python-mpv or a ``RemoteMpv``.

Properties are attributes and options are items, with the names of mpv's manual; attributes have
``_`` instead of ``-``. python-mpv does not declare them, so their types, from mpv's manual, are
declared here once. A property is None while mpv has no value for it.
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
"""An entry of ``track-list``. ``id``, ``type`` and ``selected`` are always present; the others may
be missing in old versions of mpv, or if the file does not state them.
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
    """The argument of python-mpv's event handlers."""

    @property
    def data(self) -> Data_co:
        """The data of the event."""
        ...


class Hook(Protocol):
    """Data of a "hook" event: its name, and the id with which mpv is told to continue."""

    name: str | bytes
    id: int


class EndFile(Protocol):
    """Data of an "end-file" event: the entry of the playlist, and why it ended."""

    playlist_entry_id: int
    reason: int
    error: int
    """libmpv's error code, negative; valid only if the reason is ``ERROR``."""
    ERROR: int


class Raw(Protocol):
    """Properties without conversion: text that is not UTF-8 is bytes, or has surrogates."""

    path: str | bytes
    """mpv's name of the current file."""
    stream_open_filename: str | bytes | None
    """The name or address that mpv really opens."""


class Options(Protocol):
    """Options that apply to the current file only."""

    def __setitem__(self, name: str, value: object, /) -> None:
        """Set an option."""
        ...


class Loaded(Protocol):
    """Properties of the film that an mpv has loaded."""

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
    """An mpv. Every access to one that has ended raises ``PlayerGone``."""

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
    """Matroska editions; from mpv 0.42 on also programs of a transport stream."""
    estimated_display_fps: float | None
    """Refresh rate in Hz that mpv measures while it uses display sync."""
    mpv_version: str

    @property
    def raw(self) -> Raw:
        """Properties without conversion."""
        ...

    @property
    def file_local(self) -> Options:
        """Options that apply to the current file only."""
        ...

    def __setitem__(self, name: str, value: object, /) -> None:
        """Set an option."""
        ...

    def command(self, name: str, /, *arguments: object) -> object:
        """Run a command and wait for it.

        Raises:
            SystemError: mpv refuses it.
        """
        ...

    def soon(self, name: str, /, *arguments: object) -> None:
        """Run a command without waiting for it: while mpv waits for a picture of ours, it answers
        nobody, so the threads that make pictures may not wait for it.

        Raises:
            PlayerGone: mpv has ended.
        """
        ...

    def together(self, *commands: Sequence[str]) -> None:
        """Run commands without anything of mpv's in between; there is no answer."""
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
        """A decorator: its function is called with each event of these names."""
        ...

    def register_message_handler(self, name: str, handler: Callable[..., object], /) -> None:
        """Call ``handler`` with the arguments of every script-message of that name."""
        ...

    def register_key_binding(self, key: str, command: str, /, mode: str = ...) -> None:
        """Bind a key to a command."""
        ...


class Libmpv(Mpv, Protocol):
    """An mpv in this process."""

    @property
    def handle(self) -> c_void_p:
        """The player's handle, for functions of libmpv."""
        ...

    _event_handle: c_void_p
    """The handle whose events python-mpv reads."""

    def loadfile(self, name: str, mode: str = ..., /) -> None:
        """Play a file, or append it to the playlist."""
        ...

    def terminate(self) -> None:
        """End the player; calling it twice is fine."""
        ...
