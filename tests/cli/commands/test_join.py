"""Playing begins without the model and goes over to it when it is warm."""

from __future__ import annotations

import json
import threading
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from clips import ClipSpec
from playing import PATIENCE, Playing

from rtvfi.core.errors import WeightsMismatch
from rtvfi.core.frame import Kind
from rtvfi.core.options import StreamOptions
from rtvfi.engine.model_host import ModelHost

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.mpv

FILM = ClipSpec(num_frames=96, audio=True)


class SlowModel:
    """A host whose model takes until it is told to be warm, however long that is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warm = threading.Event()
        self.playing: Playing
        self.viewing: Any = None
        self.pictures_before: int | None = None
        """First pictures shown when the model was asked for."""
        real = ModelHost.executor

        def executor(host: ModelHost, model_id: str, viewing: Any) -> Any:
            self.pictures_before = self.playing.count("playback-restart")
            self.viewing = viewing
            assert self.warm.wait(PATIENCE)
            return real(host, model_id, viewing)

        monkeypatch.setattr(ModelHost, "executor", executor)

    @property
    def counts(self) -> Counter[Kind]:
        """Frames made, by kind."""
        return Counter(self.viewing.pipeline.statistics().counts)


def test_film_frames_are_shown_until_the_model_is_warm(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, report = SlowModel(monkeypatch), tmp_path / "report.json"
    model.playing = playing = Playing(
        monkeypatch,
        clips.get(FILM),
        model="linear",
        stream=StreamOptions(style="plain"),
        mpv={"pause": "no", "loop-file": "inf"},
        report=report,
    )
    with playing:
        playing.wait(
            lambda: model.viewing is not None and (playing.mpv.time_pos or 0) > 1,
            "a second of film while the model is not there",
        )
        assert model.pictures_before == 1
        assert playing.is_ours_shown
        assert model.counts[Kind.COPY] > 24
        assert model.counts[Kind.SYNTHETIC] == model.counts[Kind.CHEAP] == 0
        model.warm.set()
        playing.wait(
            lambda: (
                model.counts[Kind.SYNTHETIC] > 10
                and model.viewing.stream.first_synthetic_at is not None
            ),
            "frames of the model, read by mpv",
        )
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["frames"]["copied"] > 24
    assert told["frames"]["interpolated"] > 10
    assert told["start_ms"]["first_picture"] < told["start_ms"]["first_interpolated"]


def test_a_seek_does_not_wait_for_the_model(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SlowModel(monkeypatch)
    model.playing = playing = Playing(monkeypatch, clips.get(FILM), model="linear")
    with playing:
        playing.wait_for("playback-restart")
        for index in (48, 7):
            playing.settle("seek", float(Fraction(index) / FILM.rate), "absolute+exact")
            assert playing.number() == index
        assert not model.warm.is_set()
        model.warm.set()


def test_a_model_that_cannot_be_made_leaves_the_film(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def executor(*_: object) -> Any:
        playing.note("asked")
        raise WeightsMismatch("they do not fit")

    monkeypatch.setattr(ModelHost, "executor", executor)
    playing = Playing(monkeypatch, clips.get(FILM), model="linear", mpv={"pause": "no"})
    with playing:
        playing.wait_for("asked")
        assert playing.join() == 0
    assert playing.error is None
