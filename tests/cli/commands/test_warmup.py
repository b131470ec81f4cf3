from __future__ import annotations

import logging
from typing import Any

import pytest

from rtvfi.cli import main as cli
from rtvfi.cli.commands import warmup
from rtvfi.core.errors import UsageError, WeightsMissing


def run(*words: str) -> int:
    arguments = cli.build_parser().parse_args(["warmup", "--device", "cpu", *words])
    code: int = arguments.run(arguments)
    return code


def test_what_playing_would_run_is_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []
    real = warmup.prepare

    def prepare(options: Any, viewing: Any) -> None:
        seen.append((options, viewing))
        real(options, viewing)

    monkeypatch.setattr(warmup, "prepare", prepare)
    with caplog.at_level(logging.INFO, "rtvfi"):
        assert run("--size", "64x48", "--fps", "3x", "--scale", "0.5") == 0
    ((options, viewing),) = seen
    assert options.model == "dis"
    assert options.stream.flow_scale == 0.5
    assert (viewing.info.width, viewing.info.height, viewing.target_rate) == (64, 48, 72)
    assert "dis at 64x48: ready in" in caplog.messages[-1]


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match='--size is "big"'):
        run("--size", "big")


def test_a_model_without_weights_is_refused_before_torch_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(warmup, "prepare", None)
    with pytest.raises(WeightsMissing):
        run("--model", "rife-4.25")
