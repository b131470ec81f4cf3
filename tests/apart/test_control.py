"""The engine by its protocol: one owner, one film, every request answered, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
from fractions import Fraction
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import av
import pytest
from barcode import read_code
from clips import FILM, ClipSpec
from control import PATIENCE, Engine

from rtvfi.apart import control
from rtvfi.apart.control import Control
from rtvfi.apart.session import Session
from rtvfi.apart.sockets import remove_socket
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.settings.config import play_options, resolve_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clips import Clips

SHORT = ClipSpec(num_frames=48, gop=12)


def numbers(address: str) -> list[int | None]:
    """The bar codes of all pictures behind an address."""
    with av.open(address, timeout=PATIENCE) as film:
        return [read_code(frame.to_ndarray(format="gray")) for frame in film.decode(video=0)]


# --- in a process ----------------------------------------------------------------------------


def test_a_film_comes_smooth_over_http_and_the_owner_is_told_of_everything(
    clips: Clips, tmp_path: Path
) -> None:
    with Engine(tmp_path, "--model", "copy", "--fps", "2x") as engine:
        assert engine.ask("hello", version=1)["ok"]
        assert not engine.path.exists(), "nobody else can connect"
        opened = engine.ask("open", path=str(clips.get(SHORT)))
        assert Fraction(opened["target_rate"]) == 2 * FILM
        engine.ask("playhead", position=opened["end"])  # else it is held back as too early
        shown = numbers(opened["address"])
        assert len(shown) == 2 * SHORT.num_frames
        assert set(shown) == set(range(SHORT.num_frames))
        assert engine.ask("statistics")["frames"] == {"copy": 2 * SHORT.num_frames}
        assert engine.ask("bye")["ok"]
        assert engine.wait() == 0


def test_the_engine_ends_with_its_owner_and_leaves_nothing(clips: Clips, tmp_path: Path) -> None:
    engine = Engine(tmp_path, "--model", "copy", "--fps", "2x")
    assert engine.listening()["listening"] == str(engine.path)
    mode = engine.path.stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    engine.connect()
    engine.ask("hello", version=1)
    engine.ask("open", path=str(clips.get(SHORT)))
    engine.leave()
    assert engine.wait() == 0
    assert [*tmp_path.iterdir()] == []


def test_another_version_is_refused_in_a_sentence_and_the_engine_ends(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        answer = engine.ask("hello", version=2)
        assert not answer["ok"]
        assert "version 2" in answer["error"]
        assert engine.wait() == 0


@pytest.mark.slow
def test_an_engine_that_is_killed_ends_the_film_for_its_owner(clips: Clips, tmp_path: Path) -> None:
    with Engine(tmp_path, "--model", "copy", "--fps", "2x") as engine:
        engine.ask("hello", version=1)
        address = engine.ask("open", path=str(clips.get(SHORT)))["address"]
        engine.process.send_signal(signal.SIGKILL)
        assert engine.process.wait(PATIENCE) == -signal.SIGKILL
        with pytest.raises(OSError, match="refused"):
            HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE).request("GET", "/")


@pytest.mark.slow
def test_a_second_program_cannot_connect(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        engine.ask("hello", version=1)
        with socket.socket(socket.AF_UNIX) as other, pytest.raises(FileNotFoundError):
            other.connect(str(engine.path))


@pytest.mark.slow
def test_lines_that_are_no_requests_are_answered_and_harmless(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        engine.ask("hello", version=1)
        for line in (
            *(b"nonsense", b"[1]", b"\xff\xfe", b'{"do": 5}', b'{"do": []}'),
            b'{"id": {}, "do": "fly"}',
        ):
            engine.send(line)
            answer = engine.answer()
            assert not answer["ok"], line
            assert answer["error"]
        assert engine.ask("rate", value="3x")["rate"] == "3x"


# --- requests --------------------------------------------------------------------------------


@pytest.fixture
def session() -> Iterator[Session]:
    settings = {"model": "copy", "fps": "2x", "device": "cpu", "hwaccel": "none"}
    made = Session(play_options(resolve_config(settings, preset="default"), ()), lambda _: None)
    yield made
    made.close()


def test_a_film_that_is_closed_or_followed_by_another_is_nobodys(
    session: Session, clips: Clips
) -> None:
    def status(address: object) -> int:
        parts = urlsplit(str(address))
        connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
        connection.request("HEAD", parts.path)
        return connection.getresponse().status

    first = session.do("open", {"path": str(clips.get(SHORT))})["address"]
    assert status(first) == 200
    second = session.do("open", {"path": str(clips.get(SHORT))})["address"]
    assert (status(first), status(second)) == (404, 200)
    third = session.do("rate", {"value": "3x"})["address"]
    assert (status(second), status(third)) == (404, 200)
    session.do("close", {})
    assert status(third) == 404


def test_what_cannot_be_opened_leaves_the_film_before(session: Session, clips: Clips) -> None:
    session.do("open", {"path": str(clips.get(SHORT))})
    with pytest.raises(RtvfiError):
        session.do("open", {"path": "/nonexistent.mkv"})
    assert session.do("statistics", {})["model"] == "copy"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("fly", {}),
        ("open", {"film": "a.mkv"}),
        ("seek", {"to": 3}),
        ("statistics", {}),
        ("style", {"name": "odd"}),
        ("rate", {"value": "odd"}),
        ("model", {"name": "odd"}),
    ],
)
def test_what_makes_no_sense_is_refused(session: Session, what: str, words: Any) -> None:
    with pytest.raises(RtvfiError):
        session.do(what, words)


def test_the_owner_reports_where_its_player_is(session: Session, clips: Clips) -> None:
    session.do("open", {"path": str(clips.get(SHORT))})
    session.do("speed", {"value": 2})
    session.do("playhead", {"position": 1.25, "running": False, "late": 0.25, "restarted": True})
    assert session._playhead.now() == 1.5
    assert session._playhead.speed == 2
    session.do("seek", {"to": 1.0})
    session.do("style", {"name": "smooth"})
    with pytest.raises(UsageError, match="does not understand"):
        session.do("speed", {"value": 2, "unit": "x"})
    with pytest.raises(UsageError, match="does not understand"):
        session.do("seek", {"to": "there"})


def test_the_socket_of_an_engine_is_in_the_users_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rtvfi.apart.control import default_path

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_path() == tmp_path / f"rtvfi-{os.getpid()}.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    path = default_path()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.rmdir()


def test_what_is_live_is_looked_at_however_often_the_owner_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "_LOOK_SECONDS", 0.0)
    options = play_options(resolve_config({"model": "copy"}, preset="default"), ())
    ours, owners = socket.socketpair()
    with ours, owners:
        served = Control(options, ours)
        looks: list[float] = []
        monkeypatch.setattr(served._session, "look", looks.append)
        owners.sendall(b'{"do": "hello", "version": 1}\n')
        owners.shutdown(socket.SHUT_WR)
        served.run()
    assert looks


def test_a_folder_of_the_users_own_stays(tmp_path: Path) -> None:
    for name, is_left in (("rtvfi-mine", True), ("rtvfi-control-x7", False)):
        path = tmp_path / name / "s.sock"
        path.parent.mkdir()
        path.touch()
        remove_socket(path, "rtvfi-control-")
        assert path.parent.exists() == is_left
