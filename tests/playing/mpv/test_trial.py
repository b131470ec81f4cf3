"""What of ours an mpv plays is tried once per version; a broken one leaves films as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clips import Clips, ClipSpec
from fakes import raising
from playing import Playing

from rtvfi.playing.mpv import trial
from rtvfi.stream.serve import parts
from rtvfi.stream.serve.matroska import VirtualMkv

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.mpv


def break_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if mpv did not know a virtual file any more."""
    real = VirtualMkv._header
    monkeypatch.setattr(VirtualMkv, "_header", lambda *args: b"\x1a\x45\xdf\xa4" + real(*args)[4:])


def break_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if mpv read lists in another way."""
    real = parts._Text.__init__
    monkeypatch.setattr(
        parts._Text, "__init__", lambda self, text: real(self, text.replace(b"v0", b"v9"))
    )


def test_this_mpv_plays_all_of_it(tmp_path: Path) -> None:
    assert trial.capacity("mpv 0.99", tmp_path / "new" / "mpv.json") == "lists"
    kept = json.loads((tmp_path / "new" / "mpv.json").read_text())
    assert list(kept.values()) == ["lists"]


def test_what_is_known_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "mpv.json"
    monkeypatch.setattr(trial, "try_it", lambda: "files")
    assert trial.capacity("mpv 0.50", kept) == "files"
    monkeypatch.setattr(trial, "try_it", lambda: "nothing")
    assert trial.capacity("mpv 0.50", kept) == "files"
    assert trial.capacity("mpv 0.51", kept) == "nothing"
    assert trial.capacity("mpv 0.50", kept, anew=True) == "nothing"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"1 mpv 0.50": 7}', "\xff"])
def test_a_damaged_note_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "mpv.json").write_text(text, encoding="latin-1")
    monkeypatch.setattr(trial, "try_it", lambda: "files")
    assert trial.capacity("mpv 0.50", tmp_path / "mpv.json") == "files"


def test_no_answer_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trial, "try_it", raising(trial._Unanswered))
    assert trial.capacity("mpv 0.50", tmp_path / "mpv.json") == "lists"
    assert not (tmp_path / "mpv.json").exists()


def test_an_mpv_that_breaks_our_files_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    break_files(monkeypatch)
    assert trial.try_it() == "nothing"


def test_an_mpv_that_breaks_our_lists_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    break_lists(monkeypatch)
    assert trial.try_it() == "files"


def test_films_play_as_they_are_when_ours_would_not(
    clips: Clips,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    break_files(monkeypatch)
    real = trial.capacity
    monkeypatch.setattr(trial, "capacity", lambda version: real(version, tmp_path / "mpv.json"))
    with Playing(monkeypatch, clips.get(ClipSpec(num_frames=24)), mpv={"pause": "no"}) as playing:
        playing.join()
    assert playing.code == 0
    assert [
        r.message for r in caplog.records if "films play without interpolation" in r.message
    ] == [f"{trial.NOTHING} (supported: {trial.SUPPORTED})"]


@pytest.mark.parametrize(
    ("version", "standing"),
    [
        ("mpv 0.34.1", "older"),
        ("mpv 0.35.1", "supported"),
        ("mpv v0.38.0", "supported"),
        ("mpv v0.41.0-dev-g1234", "supported"),
        ("mpv v0.42.0", "newer"),
        ("mpv v1.0", "newer"),
        ("mpv git-deadbeef", "unknown"),
    ],
)
def test_versions_are_told_apart(version: str, standing: str) -> None:
    assert trial.standing(version) == standing
