"""Every command that the pages and the manual show is one, and those that can run here do."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from clips import ClipSpec
from documented import LAUNCHER, Shown, pages, shell_lines, shown
from pictures import write_picture

from rtvfi.cli import main as cli
from rtvfi.cli.manual import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clips import Clips

SHOWN = shown()
WHOLE = [line for line in SHOWN if line.is_whole and line.words[0] not in LAUNCHER]
RUNNING = {
    *("play", "render", "image", "info", "models", "config", "version", "completions", "desktop"),
    *("weights list", "weights verify", "weights path"),
}
"""Commands that need neither the network, nor minutes, nor what is left of something else."""

EMBEDDED = {"cel", "linear", "copy"}
"""Models whose weights are on every machine."""

SHORT = ClipSpec(num_frames=12, size=(160, 90))
LONG = ClipSpec(num_frames=800, rate=ClipSpec().rate / 24, size=(160, 90), gop=50)
"""Long enough for any time in the examples, in few frames."""


def options_of(words: list[str]) -> set[str]:
    """The options of a command and of its actions."""
    waiting: list[argparse.ArgumentParser] = [cli.build_parser()]
    found = set(LAUNCHER)
    while waiting:
        for action in waiting.pop()._actions:
            found |= set(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                waiting += [sub for name, sub in action.choices.items() if name in words]
    return found


# --- all of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("line", SHOWN, ids=str)
def test_commands_and_options_exist(line: Shown) -> None:
    words = re.findall(r"[^\s\[\]|]+", line.text)[1:]
    names = {command.name for command in cli.COMMANDS} | LAUNCHER
    assert words[0] in names or words[0].startswith("-") or words[0].isupper()
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= options_of(words)


@pytest.mark.parametrize("line", WHOLE, ids=str)
def test_whole_lines_are_understood(line: Shown) -> None:
    parsed = cli._parse(line.words)
    assert parsed.command in {command.name for command in cli.COMMANDS}


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_a_page_with_examples_and_belongs_into_the_readme(
    command: cli.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PAGES[command.name]
    assert page.examples
    assert cli.main([command.name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert page.description in printed
    for line, meaning in page.examples:
        assert line.split()[0] == command.name
        assert f"  rtvfi {line}\n      {meaning}\n" in printed


def test_no_page_is_left_of_a_command_that_is_gone() -> None:
    assert set(PAGES) <= {command.name for command in cli.COMMANDS}


def test_the_readme_lists_every_page(root: Path) -> None:
    listed = set(
        re.findall(r"^\| \[(docs/[\w-]+\.md)\]", (root / "README.md").read_text(), re.MULTILINE)
    )
    assert listed == {f"docs/{page.name}" for page in (root / "docs").glob("*.md")}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_modules_and_scripts_that_are_named_are_there(page: Path, root: Path) -> None:
    text = page.read_text()
    modules = set(re.findall(r"-m ((?:rtvfi|benchmarks)(?:\.\w+)*)", text))
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    scripts = set(re.findall(r"\b((?:benchmarks|tests|rtvfi)(?:/\w+)+\.(?:py|csv|c))\b", text))
    lost = [name for name in scripts if not (root / name).is_file() and "NAME" not in name]
    assert lost == []


def test_tests_that_are_named_are_there(root: Path) -> None:
    named = {
        (page.name, name)
        for page in pages()
        for code in re.findall(r"`([^`\n]+)`", page.read_text())
        for name in re.findall(r"\btest_\w+", code)
    }
    files = list((root / "tests").rglob("*.py"))
    there = {path.stem for path in files}
    there.update(
        *(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE) for path in files)
    )
    assert [pair for pair in sorted(named) if pair[1] not in there] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_other_lines_for_a_shell_are_well_formed(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "lines"
    script.write_text("\n".join(shell_lines(page.read_text())) + "\n")
    result = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert result.stderr == ""


# --- those that can run ----------------------------------------------------------------------


def can_run(line: Shown) -> bool:
    words = line.words
    model = words[words.index("--model") + 1] if "--model" in words else "cel"
    if any("://" in word for word in words) or model not in EMBEDDED or "--on" in words:
        return False
    return words[0] in RUNNING or " ".join(words[:2]) in RUNNING


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to work in, with a player that shows and sounds nothing."""
    work = tmp_path / "work"
    work.mkdir()
    settings = tmp_path / "rtvfi.toml"
    settings.write_text('model = "linear"\nfps = "2x"\ndevice = "cpu"\n')
    monkeypatch.setenv("RTVFI_CONFIG", str(settings))
    for variable in ("MPV_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "MPV_HOME").mkdir()
    (tmp_path / "MPV_HOME" / "mpv.conf").write_text(
        "vo=null\nao=null\nlength=2\nuntimed=yes\nosc=no\n"
    )
    root, ours = logging.getLogger(), logging.getLogger("rtvfi")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    with monkeypatch.context() as patch:
        patch.chdir(work)
        yield work
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def provide(name: str, film: Path, *, are_pictures: bool) -> None:
    """Make an input of that name."""
    path = Path(name.replace("*", "one"))
    if name.endswith("/"):
        path.mkdir()
        for number in range(3):
            if are_pictures:
                draw(path / f"{number}.png", number)
            else:
                (path / f"{number}.mkv").symlink_to(film)
    elif path.suffix == ".png":
        draw(path, ord(path.name[0]))
    elif path.suffix == ".m3u":
        path.write_text(f"#EXTM3U\n{film}\n")
    elif path.suffix in (".ass", ".srt"):
        path.write_text("1\n00:00:01,000 --> 00:00:02,000\ntext\n")
    else:
        path.symlink_to(film)


def draw(path: Path, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    write_picture(path, av.VideoFrame.from_ndarray(picture, "rgb24"))


def inputs(parsed: argparse.Namespace) -> list[str]:
    values: list[Any] = []
    for name in ("file", "files", "pictures", "sub_file", "audio_file"):
        value = getattr(parsed, name, None) or []
        values += value if isinstance(value, list) else [value]
    return [str(value) for value in values]


@pytest.mark.mpv
@pytest.mark.parametrize("line", [line for line in WHOLE if can_run(line)], ids=str)
def test_it_runs(line: Shown, place: Path, clips: Clips) -> None:
    words = line.words
    film = clips.get(LONG if "--start" in words else SHORT)
    for name in inputs(cli._parse(words)):
        provide(name, film, are_pictures="--in-fps" in words)
    typed = [
        name
        for word in words
        for name in (sorted(map(str, place.glob(word))) if "*" in word else [word])
    ]
    assert cli.main(typed) == 0
