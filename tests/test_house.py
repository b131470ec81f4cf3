"""Rules of the whole house."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import share
import tables
from packaging.requirements import Requirement

from rtvfi.cli import main as cli
from rtvfi.core.data import data_folders, data_names, data_path
from rtvfi.core.errors import RtvfiError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "rtvfi").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
README = ROOT / "README.md"
HEAVY = frozenset(
    ("PIL", "av", "cv2", "distributed", "mpv", "numpy", "rich", "safetensors", "scipy", "skimage")
) | {"starlette", "torch", "uvicorn"}
"""Packages that take long to load, or that a command has to do without."""
DOCTOR = "rtvfi.doctor"
"""Its checks may lack any package; that is what they are for."""
MAX_LINES = 400
MAX_LINES_OF_A_MODEL_FAMILY = 500


# --- files -----------------------------------------------------------------------------------


def limit(path: Path) -> int:
    is_family = path.is_relative_to(ROOT / "rtvfi" / "models")
    return MAX_LINES_OF_A_MODEL_FAMILY if is_family else MAX_LINES


def test_no_file_is_over_its_limit() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}
    over = {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > limit(p)}
    assert over == {}


@pytest.mark.parametrize("path", ["run", ".ci/run"])
def test_scripts_are_executable_and_parse(path: str) -> None:
    assert (ROOT / path).stat().st_mode & 0o111
    shell = "sh" if path == "run" else "bash"
    assert subprocess.run([shell, "-n", ROOT / path], check=False).returncode == 0


# --- help is light ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["play", "--help"], ["models"], ["config"], ["play", "no-such-file"]]
)
def test_light_commands_load_no_heavy_module(arguments: list[str]) -> None:
    program = (
        "import sys, rtvfi.cli.main\n"
        "rtvfi.cli.main.main(sys.argv[1:])\n"
        "heavy = {'torch', 'av', 'mpv', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_command_loads_no_other_and_nothing_of_the_network() -> None:
    program = (
        "import sys, rtvfi.cli.main\n"
        "rtvfi.cli.main.main(['play', 'no-such-file'])\n"
        "commands = {n for n in sys.modules if n.startswith('rtvfi.cli.commands.')}\n"
        "print(commands - {'rtvfi.cli.commands.play'}, {'asyncio', 'ssl'} & {*sys.modules})\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set() set()\n"


# --- imports stand at the top, but for those that put something heavy off -------------------------


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text()) for path in (ROOT / "rtvfi").rglob("*.py")}


def imported(node: ast.stmt) -> list[str]:
    """Modules that an import names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    module = node.module or ""
    whole = [f"{module}.{alias.name}" for alias in node.names]
    return [name if name in TREES else module for name in whole]


def at_the_top(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that loading a file loads; not those for types."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from at_the_top(node.body)


@cache
def packages(module: str) -> frozenset[str]:
    """Third-party packages that loading a module loads, through whatever modules of ours."""
    found, seen, left = set(), {module}, [module]
    while left:
        name = left.pop()
        if name not in TREES:
            found.add(name.partition(".")[0])
            continue
        new = set(at_the_top(TREES[name].body)) - seen
        seen |= new
        left += new
    return frozenset(found - sys.stdlib_module_names - {"rtvfi"})


def test_an_import_inside_a_function_puts_something_heavy_off() -> None:
    needless = []
    for module, tree in TREES.items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    later = {package for name in imported(node) for package in packages(name)}
                    put_off = later - packages(module)
                    if not (put_off if module.startswith(DOCTOR) else put_off & HEAVY):
                        needless.append(f"{module}:{node.lineno}: {ast.unparse(node)}")
    assert needless == []


# --- README ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_tables_of_the_pages_are_those_of_the_code(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == tables.filled(page), "run tests/tables.py --write"


def test_readme_names_only_commands_that_exist() -> None:
    readme = README.read_text()
    named = set(re.findall(r"(?:`|    )(?:\./run|rtvfi)\s([a-z]+)\b", readme))
    assert {"play", "test"} <= named
    assert named <= {*(command.name for command in cli.COMMANDS), "test", "check", "update"}


def test_readme_names_every_key_and_message() -> None:
    readme = README.read_text()
    controls = (ROOT / "rtvfi" / "playing" / "controls.py").read_text()
    for key, message in re.findall(r'"(Ctrl\+\w)": \("(rtvfi-\w+)"', controls):
        assert f"| {key} | `{message}` |" in readme
    messages = set(re.findall(r'"(rtvfi-\w+)": ', controls))
    assert messages
    assert messages <= set(re.findall(r"`(rtvfi-\w+)`", readme))


def headings(page: Path) -> set[str]:
    """What a link calls the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


def test_links_of_the_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, page.parent / target if target else page, heading)
        for page in pages
        for target, heading in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text())
        if "://" not in target
    ]
    broken = [
        f"{page.name}: {target.name}#{heading}"
        for page, target, heading in links
        if not target.exists() or (heading and heading not in headings(target))
    ]
    assert broken == []


# --- the plan of the house --------------------------------------------------------------------


def test_every_room_stands_in_the_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent for path in (ROOT / "rtvfi").rglob("__init__.py")} - {ROOT / "rtvfi"}
    families = {path.parent for path in (ROOT / "rtvfi" / "models").glob("*/family.py")}
    assert "`models/NAME/`" in plan  # stands for all of them
    names = {f"`{room.relative_to(ROOT / 'rtvfi')}/`" for room in rooms - families}
    assert {name for name in names if name not in plan} == set()
    named = set(re.findall(r"^\| `([a-z_/]+/)` \|", plan, re.MULTILINE))
    assert {name for name in named if not (ROOT / "rtvfi" / name).is_dir()} == set()


NAMES = set(re.findall(r'"(rtvfi-[a-z-]+)"', "".join(p.read_text() for p in SOURCES)))
"""What could be the name of a thread."""


def test_every_thread_stands_in_the_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    started: set[str] = set()
    for path in (ROOT / "rtvfi").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("Thread", "Worker")):
                values = (*call.args, *(k.value for k in call.keywords))
                words = {ast.unparse(v).strip("'") for v in values}
                started |= words & NAMES
    assert {"rtvfi-decode", "rtvfi-compute", "rtvfi-worker", "rtvfi-hook"} <= started
    assert {name for name in started if f"`{name}`" not in plan} == set()


# --- packaging -------------------------------------------------------------------------------


def test_pinned_versions_are_within_the_ranges() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    pinned = dict(line.split("==") for line in lines)
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    requirements = [Requirement(text) for text in wanted if not text.startswith(("torch", "rtvfi"))]
    assert [r.name for r in requirements if not r.specifier.contains(pinned[r.name])] == []
    assert "torch" not in pinned


def test_torch_of_the_launcher_is_within_the_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    torch = next(text for text in project["dependencies"] if text.startswith("torch"))
    version = re.search(r"^torch_version=(\S+)$", (ROOT / "run").read_text(), re.MULTILINE)
    assert version is not None
    assert Requirement(torch).specifier.contains(version[1])


def test_the_wheel_carries_presets_and_weights(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "rtvfi/_data/configs/default.toml" in names
    tracked = subprocess.run(
        ["git", "ls-files", "weights"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert {f"rtvfi/_data/{name}" for name in tracked} <= set(names)
    installed = {name.partition(".data/data/share/")[2] for name in names}
    assert {str(place) for place in share.files()} <= installed
    assert not [name for name in names if name.startswith("tests/")]


def test_data_of_the_checkout_is_found() -> None:
    assert data_path("configs", "cpu.toml").parent in data_folders("configs")
    assert "cpu" in data_names("configs", ".toml")


def test_missing_data_is_one_sentence() -> None:
    with pytest.raises(RtvfiError, match=r'the file "weights/none\.bin"'):
        data_path("weights", "none.bin")
