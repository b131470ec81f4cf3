"""The functions that run on a worker: reporting its identity, receiving films, rendering segments.

They are sent by name, so both sides must have the same version; that is checked first.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError, first_line
from rtvfi.core.program import version
from rtvfi.models.weights.store import find_weights, sha256_of, stored_weights
from rtvfi.render.maker import Maker
from rtvfi.render.render import pictures_alone
from rtvfi.render.run import Run, whole_job
from rtvfi.stream.write.journal import file_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtvfi.settings.config import RenderOptions

log = logging.getLogger(__name__)

_PACKAGE: Final = Path(__file__).resolve().parents[1]

Identity = dict[str, str]
"""What must be equal on all machines: versions and hashes, by their names in messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One segment to render."""

    options: RenderOptions
    source: str
    """The film's path or URL; a film that was sent has another path on the worker."""
    facts: Mapping[str, object]
    """What identifies the film's content, see ``file_facts``."""
    form: str
    """Container format that the segments will be joined into."""
    first: int
    """Grid index of the first picture."""
    stop: int | None
    """Grid index to stop before; None = the end of the film."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A rendered segment without its file."""

    num_frames: int
    encoder: str
    seconds: float
    """Rendering time on the worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made(Rendered):
    """A rendered segment: a Matroska file with video only."""

    file: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker cannot be used; ``sentence`` says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """The worker cannot access the film."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The segment could not be rendered: message and hint of the error."""

    message: str
    hint: str


Outcome = Made | Refused | Unseen | Failed


def identity(model: str, enhance: str | None) -> Identity:
    """This machine's versions, and the hashes of the weights of ``model`` and ``enhance``."""
    found = {"version of rtvfi": version(), "code of rtvfi": code(_PACKAGE)}
    found["version of av"] = metadata.version("av")
    names = {model: find_weights} | ({enhance: stored_weights} if enhance else {})
    for name, find in names.items():
        try:
            path = find(name)
            found[f"weights of {name}"] = "none" if path is None else _sha256(path)
        except RtvfiError as error:
            found[f"weights of {name}"] = error.message
    return found


@lru_cache(maxsize=1)
def code(package: Path) -> str:
    """A hash of all Python files of a package: two checkouts may have the same version, and
    misread each other's tasks.
    """
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(str(path.relative_to(package)).encode() + b"\0")
        total.update(sha256_of(path).encode())
    return total.hexdigest()[:12]


def _sha256(path: Path) -> str:
    """The hash of a weight file, cached until the file changes: it is needed for every segment."""
    state = path.stat()
    return _sha256_at(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _sha256_at(path: Path, _size: int, _changed: int) -> str:
    return sha256_of(path)


def difference(wanted: Identity, found: Identity) -> str:
    """A sentence on what differs between two machines; empty if nothing does."""
    for what in wanted:
        if wanted[what] != found.get(what):
            return f"its {what} is {found.get(what, 'unknown')}, expected {wanted[what]}"
    return ""


def perform(wanted: Identity, task: Task, films: str) -> Outcome:
    """Render a segment.

    Args:
        wanted: the versions and weights that this worker must have.
        task: the segment.
        films: folder of the films that were sent to this worker.
    """
    options = task.options
    sentence = difference(wanted, identity(options.model, options.enhance))
    if sentence:
        return Refused(sentence)
    path = _seen(task, Path(films))
    if path is None:
        return Unseen()
    try:
        return _made(task, path)
    except RtvfiError as error:
        return Failed(error.message, error.hint)
    except OSError as error:
        return Failed(f"the segment cannot be written: {first_line(error)}", "")


def _seen(task: Task, films: Path) -> str | None:
    """The film's path or URL on this machine; None if it cannot be accessed."""
    if _is_it(task.source, task):
        return task.source
    sent = str(films / stored_name(task.source, task.facts))
    return sent if _is_it(sent, task) else None


def _is_it(path: str, task: Task) -> bool:
    return file_facts(path) == task.facts


def stored_name(source: str, facts: Mapping[str, object]) -> str:
    """The file name of a film that was sent: a hash of its content and its extension."""
    return f"{facts.get('sha256_of_ends', 'film')}{Path(source).suffix}"


@lru_cache(maxsize=1)
def _maker(options: RenderOptions) -> Maker:
    """Cached so that the model stays loaded between segments."""
    return Maker(options)


def _made(task: Task, path: str) -> Made:
    began = time.monotonic()
    maker = _maker(task.options)
    with tempfile.TemporaryDirectory(prefix="rtvfi-") as folder, ExitStack() as opened:
        film = maker.open(path, opened)
        run = Run(task.options, film, maker.begin(film, opened, task.first), task.first)
        target = Path(folder) / "segment.mkv"
        whole = replace(whole_job(task.options, film, target, task.form), first_index=task.first)
        _, written = run.write(pictures_alone(whole, target), task.stop, lambda _: None)
        return Made(
            file=target.read_bytes(),
            num_frames=written.num_frames,
            encoder=written.encoder,
            seconds=time.monotonic() - began,
        )


def receive(films: str, name: str, offset: int, data: bytes, *, is_last: bool) -> None:
    """Receive a piece of a film; the file gets its final name after the last piece.

    Args:
        films: folder for films.
        name: the film's final file name.
        offset: position of the piece in the file, bytes.
        data: the piece.
        is_last: this is the last piece.
    """
    folder = Path(films)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    with part.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(data)
    if is_last:
        part.replace(folder / name)


def leave(sentence: str) -> None:
    """Log on the worker why it was refused."""
    log.warning("this worker was refused and exits: %s", sentence)
