"""How our own window reads an engine's file: the right bytes, and never stuck."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import PATIENCE, offset_of, raising
from opened import Opened

from rtvfi.apart import own_window, reader
from rtvfi.apart.attached import WebDoor
from rtvfi.apart.own_window import ApartPlayer
from rtvfi.apart.reader import ServedFile
from rtvfi.settings.config import play_options, resolve_config
from rtvfi.stream.serve.web import PictureServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.stream.serve.frame_stream import FrameStream


@pytest.fixture
def server() -> Iterator[PictureServer]:
    pictures = PictureServer(is_unix=True)
    yield pictures
    pictures.close()


def read(file: ServedFile, num_bytes: int) -> bytes:
    """One read, which may bring less."""
    buffer = ctypes.create_string_buffer(num_bytes)
    count = file.read_into(ctypes.addressof(buffer), num_bytes)
    assert count >= 0
    return buffer.raw[:count]


def read_all(file: ServedFile, num_bytes: int, *, at_a_time: int = 1 << 16) -> bytes:
    got = b""
    while len(got) < num_bytes:
        piece = read(file, min(at_a_time, num_bytes - len(got)))
        assert piece, "the file ends"
        got += piece
    return got


def gives_nothing(file: ServedFile) -> bool:
    buffer = ctypes.create_string_buffer(10)
    return file.read_into(ctypes.addressof(buffer), 10) == -1


# ---- of a real server ----


def test_the_whole_file_is_what_a_player_inside_would_read(server: PictureServer) -> None:
    opened = Opened()
    file = ServedFile(server.offer(opened.stream))
    assert file.size == opened.stream.size
    assert read_all(file, file.size) == opened.whole()
    assert read(file, 10) == b"", "the end"
    file.close()


def test_a_large_read_brings_all_it_asks_for_in_one_call(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_WHOLE_BYTES", 2)
    opened = Opened()
    file = ServedFile(server.offer(opened.stream))
    assert read(file, file.size) == opened.whole()
    file.close()


def test_a_seek_gives_the_bytes_that_stand_there(server: PictureServer) -> None:
    opened = Opened()
    file, whole = ServedFile(server.offer(opened.stream)), opened.whole()
    for offset in (offset_of(opened.mkv, 3) + 17, 0, offset_of(opened.mkv, 5), 3, 9, len(whole)):
        assert file.seek(offset) == offset
        assert read_all(file, min(500, len(whole) - offset)) == whole[offset : offset + 500]
    assert read(file, 1) == b""
    file.close()


@pytest.mark.parametrize("whole", [1, 1 << 18])
def test_a_cancelled_read_returns_at_once_and_so_do_all_later_ones(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    monkeypatch.setattr(reader, "_WHOLE_BYTES", whole)
    opened = Opened(ready=0)
    file = ServedFile(server.offer(opened.stream))
    read_all(file, len(opened.mkv.header))
    found = threading.Event()

    def wait_for_a_picture() -> None:
        while not gives_nothing(file):  # what stands before it
            pass
        found.set()

    thread = threading.Thread(target=wait_for_a_picture, daemon=True)
    thread.start()
    file.cancel()
    assert found.wait(PATIENCE)
    assert gives_nothing(file)
    file.close()
    file.cancel()  # of one that is closed: nothing


def test_a_connection_that_ends_in_a_picture_is_made_anew(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened()
    piece, cuts = opened.stream.piece, [3]

    def cut(room: int, **words: Any) -> object:
        """Half of the second piece, and then nothing for once."""
        cuts[0] -= 1
        found = piece(room, **words) if cuts[0] else b""
        return found[: len(found) // 2] if cuts[0] == 1 else found

    half: Callable[..., object] = cut
    monkeypatch.setattr(type(opened.stream), "piece", lambda _, room, **words: half(room, **words))
    file = ServedFile(server.offer(opened.stream))
    assert read_all(file, file.size) == opened.whole()
    assert cuts[0] < 0
    file.close()


def test_a_film_that_is_withdrawn_and_an_engine_that_is_dead_give_nothing() -> None:
    pictures, opened = PictureServer(is_unix=True), Opened()
    file = ServedFile(pictures.offer(opened.stream))
    read_all(file, len(opened.mkv.header))
    pictures.withdraw(opened.stream)
    file.seek(0)
    assert gives_nothing(file)
    pictures.close()
    assert gives_nothing(file)
    file.close()


def test_another_token_or_name_gives_nothing(server: PictureServer) -> None:
    opened = Opened()
    address = server.offer(opened.stream)
    name, token = address.split("/")[2:4]
    for wrong in (address.replace(token, token[::-1]), address.replace(name[-32:], "0" * 32)):
        file = ServedFile(wrong)
        assert gives_nothing(file)
        file.close()
    assert opened.feed.seeks == []


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("#", "x"),
        ("#", "#-"),
        ("rtvfi-", ""),
        ("rtvfi-", "rtvfi-/"),
        ("rtvfi-", "/tmp/.X11-unix/X0"),
        ("/token", "/token HTTP/1.1\r\nX: "),
        ("/token", ""),
        ("rtvfi:", "http:"),
    ],
)
def test_an_address_that_a_playlist_made_up_reaches_no_socket(part: str, other: str) -> None:
    address = f"rtvfi://rtvfi-{'0' * 32}/token/file.mkv#1"
    ServedFile(address)
    with pytest.raises(ValueError, match="no engine"):
        ServedFile(address.replace(part, other, 1))


def test_a_socket_of_no_path_serves_no_loopback_address(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    name = address.split("/")[2]
    assert server.root == f"rtvfi://{name}/"
    assert Path("/proc/net/unix").read_text(encoding="ascii").count(f"@{name}") == 1
    assert server._server.socket.family == socket.AF_UNIX


def test_another_user_is_hung_up_on(server: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.offer(Opened().stream)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with socket.socket(socket.AF_UNIX) as one, suppress(ConnectionError):
        one.settimeout(PATIENCE)
        one.connect(f"\0{server.host}")
        one.sendall(f"HEAD /{address.split('/', 3)[3]} HTTP/1.1\r\n\r\n".encode())
        assert one.recv(1) == b""


# ---- of something that is no server of ours ----


class Other:
    """Somebody who listens where a file is said to be, and answers if told so."""

    def __init__(self, backlog: int = 5) -> None:
        self.name = f"rtvfi-{uuid.uuid4().hex}"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(f"\0{self.name}")
        self.listening.listen(backlog)
        self.listening.settimeout(PATIENCE)
        self.file = ServedFile(f"rtvfi://{self.name}/token/file#1000")

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.listening.close()

    def answer(self, *pieces: bytes) -> None:
        """Take a connection, send all this and hang up after the request."""

        def run() -> None:
            connection, _ = self.listening.accept()
            with connection, suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
                while connection.recv(1 << 12):
                    pass

        threading.Thread(target=run, daemon=True).start()


def test_a_seek_to_what_has_arrived_reads_on() -> None:
    with Other() as other:
        content = bytes(range(200))
        other.answer(b"HTTP/1.1 206 Part\r\n\r\n" + content)  # one piece: it arrives as a whole
        assert read(other.file, 5) == content[:5]
        other.file.seek(150)
        assert read(other.file, 10) == content[150:160]  # nobody would answer another connection


def test_an_answer_in_pieces_is_one_answer() -> None:
    with Other() as other:
        other.answer(*(bytes([byte]) for byte in b"HTTP/1.1 206 Part\r\nX: \r\n\r\n12345"))
        assert read_all(other.file, 5) == b"12345"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not\r\n\r\n", b"", b"x" * 5000])
def test_what_is_no_range_gives_nothing_after_two_tries(answer: bytes) -> None:
    with Other() as other:
        for _ in range(2):
            other.answer(answer) if answer else threading.Thread(
                target=lambda: other.listening.accept()[0].close(), daemon=True
            ).start()
        assert gives_nothing(other.file)


def test_an_engine_that_hangs_is_waited_for_until_the_read_is_cancelled() -> None:
    with Other() as other:
        thread = threading.Thread(target=gives_nothing, args=(other.file,), daemon=True)
        thread.start()
        accepted, _ = other.listening.accept()
        accepted.settimeout(PATIENCE)
        assert accepted.recv(1) == b"G"  # it has asked, and waits for the answer
        other.file.cancel()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        accepted.close()


def test_an_engine_that_hangs_with_a_full_queue_is_not_waited_for() -> None:
    with Other(backlog=0) as other:
        waiting = []
        with suppress(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(f"\0{other.name}")
        assert gives_nothing(other.file)
        for one in waiting:
            one.close()


def test_a_name_that_another_user_has_taken_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Other() as other:
        monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
        assert gives_nothing(other.file)
        accepted, _ = other.listening.accept()
        with accepted:
            assert accepted.recv(1) == b""


# ---- who reads which way ----


class Told:
    """A player by its ``script-opts``."""

    def __init__(self, options: object) -> None:
        self._options = options

    def __getitem__(self, name: str) -> object:
        assert name == "script-opts"
        return self._options


@pytest.mark.parametrize(
    ("options", "scheme"),
    [({"rtvfi-reads": "rtvfi"}, "rtvfi"), ({"rtvfi-reads": ""}, "http"), ({}, "http"), (0, "http")],
)
def test_only_a_window_that_says_so_gets_addresses_of_a_unix_socket(
    options: object, scheme: str
) -> None:
    stream: FrameStream = Opened().stream
    door = WebDoor(Told(options))  # type: ignore[arg-type]
    try:
        assert door.offer(stream).partition(":")[0] == scheme
    finally:
        door.close()


class Window:
    """A player that runs a script only once somebody waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[object, ...]] = []
        self.handlers: dict[str, Callable[..., None]] = {}
        window = self

        class Loaded(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                window.handlers["rtvfi-script"](b"rtvfi")
                window.told.append(("waited", timeout))
                return self.is_set()

        monkeypatch.setattr(own_window, "threading", SimpleNamespace(Event=Loaded))

    def command(self, *words: object) -> None:
        self.told.append(words)

    def register_message_handler(self, name: str, handler: Callable[..., None]) -> None:
        self.handlers[name] = handler

    def load(self) -> list[tuple[object, ...]]:
        options = play_options(resolve_config({"model": "copy"}, preset="default"), ("film.mkv",))
        player: Any = self
        ApartPlayer(options, None)._load(player, [])
        return self.told


@pytest.mark.parametrize("refuses", [False, True])
def test_a_window_that_cannot_read_a_unix_socket_does_not_say_so(
    monkeypatch: pytest.MonkeyPatch, *, refuses: bool
) -> None:
    protocol = raising(OSError("refused")) if refuses else lambda *_: None
    monkeypatch.setattr(own_window, "StreamProtocol", protocol)
    told = Window(monkeypatch).load()
    assert ("rtvfi-reads=rtvfi" in {words[-1] for words in told}) != refuses


def test_no_film_is_opened_before_the_script_is_loaded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(own_window, "StreamProtocol", lambda *_: None)
    *_, load, wait = Window(monkeypatch).load()
    assert (load[0], wait[0]) == ("load-script", "waited")
    assert not caplog.messages
