"""Settings, notes and profiles that somebody or something has spoilt: one sentence each."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from rtvfi.cli import main as cli
from rtvfi.core.errors import UsageError
from rtvfi.settings import profile
from rtvfi.settings.config import resolve_config
from rtvfi.settings.keys import SETTINGS
from rtvfi.stream.record.notes import NAME, read_notes

if TYPE_CHECKING:
    from pathlib import Path

SPOILT: dict[str, bytes] = {
    "noise": bytes(range(256)) * 40,
    "zeros": bytes(5000),
    "half a string": b'model = "cel',
    "brackets": b"model = " + b"[" * 60_000,
    "tables": b"[a" + b".a" * 5_000 + b"]",
    "inline tables": b"model = " + b"{a=" * 15_000,
    "an endless number": b"passes = " + b"9" * 60_000,
    "much": b"# " + b"x" * 100_000_000,
    "twice": b'model = "cel"\nmodel = "cel"',
    "a byte order mark": b'\xef\xbb\xbfmodel = "cel"',
    "another encoding": 'model = "cel"'.encode("utf-16"),
    "mpv as a list": b"mpv = []",
    "mpv in mpv": b"[mpv]\nmpv = {a = 1}",
    "an option with a line": b'[mpv]\n"a\\nb" = 1',
}


@pytest.mark.parametrize("kind", SPOILT)
def test_spoilt_settings_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rtvfi.toml"
    path.write_bytes(SPOILT[kind])
    monkeypatch.setenv("RTVFI_CONFIG", str(path))
    code = cli.main(["config"])
    err = capsys.readouterr().err
    if kind == "mpv in mpv":  # mpv itself refuses it, when it is asked
        assert code in (0, 2)
        return
    assert code == 2
    assert err.startswith(f"error: {path}")
    assert len(err) < 2000


WRONG = ("nan", "inf", "-1e308", "1e400", "[1]", "{}", "1979-05-27", "''", "true", str(1 << 70))


@pytest.mark.parametrize("key", SETTINGS)
def test_a_value_of_the_wrong_kind_is_refused(key: str, tmp_path: Path) -> None:
    path = tmp_path / "rtvfi.toml"
    refused = 0
    for value in WRONG:
        path.write_text(f"{key} = {value}\n")
        with contextlib.suppress(UsageError):
            resolve_config({}, None, path)
            refused -= 1
        refused += 1
    assert refused >= len(WRONG) - 2


@pytest.mark.parametrize("kind", ["noise", "brackets", "an endless number", "another encoding"])
def test_a_spoilt_profile_is_said_and_left_out(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "machine.toml"
    path.write_bytes(SPOILT[kind])
    monkeypatch.setattr(profile, "profile_file", lambda: path)
    found, why = profile.read_profile()
    assert found is None
    assert "cannot be read" in why


LINES = (
    *('"stream"', "5", '{"stream": 1}', '{"piece": "a.mkv", "of": 9}', '{"ended": "b"}'),
    '{"piece": "../../film.mkv", "first": 0, "of": 0}',
    '{"piece": "/etc/passwd", "first": 0, "of": 0}',
)


@pytest.mark.parametrize("line", LINES)
def test_notes_that_nobody_wrote_are_refused(line: str, tmp_path: Path) -> None:
    times = {"origin": "0", "step": "1/48", "zero": "0"}
    kind = {"has_model": True, "has_cadence": False, "extras": []}
    stream = {"stream": 0, "source": "film.mkv"} | times | kind
    (tmp_path / NAME).write_text(json.dumps(stream) + "\n" + line + "\n")
    with pytest.raises(UsageError, match="are damaged"):
        read_notes(tmp_path / "o.mkv", tmp_path)


def test_notes_that_are_noise_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(range(256)) * 20 + b"\n" + b"[" * 100_000 + b"\n")
    assert read_notes(tmp_path / "o.mkv", tmp_path).streams == []
