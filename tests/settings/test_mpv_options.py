from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rtvfi.cli import main as cli
from rtvfi.core.errors import UsageError
from rtvfi.playing.mpv import window
from rtvfi.settings.config import resolve_config
from rtvfi.settings.mpv_options import of_command_line, of_table, sort_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUIET = (("vo", "null"), ("ao", "null"), ("osc", "no"), ("load-scripts", "no"), ("ytdl", "no"))


@pytest.fixture
def open_one() -> Iterator[Any]:
    opened: list[Any] = []

    def open_one(*options: tuple[str, str]) -> Any:
        opened.append(window.open_window((*QUIET, ("config", "no"), *options)))
        return opened[-1]

    yield open_one
    for player in opened:
        player.terminate()


def test_the_forms_of_the_command_line_are_told_apart() -> None:
    found = sort_out([("no-osc", "yes"), ("volume", "5"), ("vf-add", "hflip"), ("script", "a.lua")])
    assert found.values == {"osc": "no", "volume": "5"}
    assert found.changes == [("vf", "add", "hflip")]
    assert found.at_start == {"scripts": "a.lua"}


def test_the_last_of_several_values_counts_and_lists_grow() -> None:
    options = [("volume", "5"), ("volume", "6")]
    found = sort_out([*options, ("script-opts-append", "a=1"), ("script-opts-append", "b=2")])
    assert found.values == {"volume": "6"}
    assert found.at_start == {"script-opts": "a=1,b=2"}


def test_repeated_additions_are_kept_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mpv", "vf-add=hflip", "--mpv", "vf-add=vflip", "--mpv", "volume=1"]
    assert cli.main(["config", *words, "--mpv", "volume=2"]) == 0
    printed = capsys.readouterr().out
    assert 'vf-add = ["hflip", "vflip"]' in printed
    assert 'volume = "2"' in printed
    assert resolve_config({})["model"], "the grammar left the settings alone"


def test_a_name_without_a_value_is_a_yes_and_a_repeated_one_grows() -> None:
    given = of_command_line(["fs", "vf-add=a", "title=b=c", "vf-add=d", "volume=1", "volume=2"])
    assert given == {"fs": ("yes",), "vf-add": ("a", "d"), "title": ("b=c",), "volume": ("2",)}


def test_a_file_lists_what_repeats() -> None:
    table = {"vf-add": ["hflip", "vflip"], "sub-file": "a\nb", "volume": 5, "fs": True}
    assert of_table(table, "own.toml") == {
        "vf-add": ("hflip", "vflip"),
        "sub-file": ("a", "b"),
        "volume": ("5",),
        "fs": ("yes",),
    }


def test_a_list_for_what_does_not_repeat_is_refused() -> None:
    with pytest.raises(UsageError, match=r"own\.toml: \[mpv\] vf takes one value, got \['a'\]"):
        of_table({"vf": ["a"]}, "own.toml")


@pytest.mark.mpv
def test_mpv_takes_them(open_one: Any, tmp_path: Path) -> None:
    script = tmp_path / "own.lua"
    script.write_text('mp.set_property("audio-delay", mp.get_opt("own-delay"))\n')
    subtitles = str(tmp_path / "a:b.srt")
    player = open_one(
        ("no-input-default-bindings", "yes"),
        ("vf-add", "hflip"),
        ("vf-add", "vflip"),
        ("sub-file", subtitles),
        ("script", str(script)),
        ("script-opts-append", "own-delay=0.5"),
    )
    assert player["input-default-bindings"] is False
    assert [one["name"] for one in player["vf"]] == ["hflip", "vflip"]
    assert player["sub-files"] == [subtitles]
    player.wait_for_property("audio-delay", lambda delay: delay == 0.5)


@pytest.mark.mpv
def test_an_unknown_list_is_one_sentence(open_one: Any) -> None:
    with pytest.raises(UsageError, match='mpv has no list "nothing"'):
        open_one(("nothing-append", "x"))
