from __future__ import annotations

import pytest

from rtvfi.doctor.finding import Place, clean, ok, size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://me:hunter2@proxy:3128/x", "at http://...@proxy:3128/x"),
        ("https://host/file?sig=hunter2&x=1 failed", "https://host/file?... failed"),
        ("mpv.http-header = 'Authorization: Bearer' token=hunter2", None),
        ('api_key = "hunter2"', "api_key = ..."),
        ("password: hunter2", "password: ..."),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("plain words, 1920x1080", "plain words, 1920x1080"),
    ],
)
def test_secrets_are_cut_out(text: str, shown: str | None) -> None:
    assert "hunter2" not in clean(text)
    if shown is not None:
        assert clean(text) == shown


def test_home_is_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert clean("in /home/me/.cache and /home/meg") == "in ~/.cache and /home/meg"
    assert ok("disk", "/home/me/x").as_dict()["text"] == "~/x"
    monkeypatch.delenv("HOME")
    assert clean("/home/me") == "/home/me"


def test_only_listed_variables_are_shown() -> None:
    place = Place({"OMP_NUM_THREADS": "4", "MY_TOKEN": "hunter2", "DISPLAY": "a b$(x)"})
    assert list(place.shown("OMP_NUM_THREADS", "MY_TOKEN", "DISPLAY", "UNSET")) == [
        "OMP_NUM_THREADS=4",
        "DISPLAY=...",
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1500, "1.5 kB"), (25_300_000_000, "25.3 GB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text
