from __future__ import annotations

import hashlib
import io
import socket
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import constant_state

from rtvfi.core.errors import WeightsMismatch, WeightsMissing
from rtvfi.models.weights import fetch as fetching
from rtvfi.models.weights.fetch import download, fetch
from rtvfi.models.weights.store import Store, WeightSource, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTRY = manifest()["rife-4.25.lite"]


def weights(value: float = 0.01) -> bytes:
    file = io.BytesIO()
    torch.save(constant_state(ENTRY.network, value), file)
    return file.getvalue()


class Site:
    """A web server on this machine: files by path, how much of each it sends, what was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.breaks_after: dict[str, int] = {}
        self.ranges: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        content = self.files.get(request.path[1:])
        if content is None:
            request.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = self.breaks_after.pop(request.path[1:], len(content))
        request.wfile.write(content[start:end])


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), name="site")
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ignore(_done: int, _total: int | None) -> None:
    pass


def at(site: Site, content: bytes | None = None, name: str = "a.pkl") -> WeightSource:
    if content is not None:
        site.files[name] = content
    return WeightSource(url=site.url + name)


def hashed(source: WeightSource, content: bytes) -> WeightSource:
    return replace(source, sha256=hashlib.sha256(content).hexdigest())


def test_a_published_file_enters_the_store(site: Site, store: Store) -> None:
    content = weights()
    seen: list[tuple[int, int | None]] = []
    source = hashed(at(site, content), content)
    receipt, used = fetch(store, replace(ENTRY, sources=(source,)), lambda *n: seen.append(n))
    assert used is source
    assert receipt.origin == source.url
    assert receipt.original_sha256 == source.sha256
    assert store.verify(ENTRY.name) is None
    assert seen[-1] == (len(content), len(content))
    assert not list(store.folder.glob("*.part"))


def test_a_git_blob_is_checked(site: Site, store: Store) -> None:
    content = weights()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    good = replace(at(site, content), git_blob=blob)
    assert fetch(store, replace(ENTRY, sources=(good,)), ignore).source.has_hash
    bad = replace(good, git_blob="0" * 40)
    with pytest.raises(WeightsMismatch, match="expected 0000"):
        fetch(store, replace(ENTRY, sources=(bad,)), ignore)


def test_a_wrong_hash_is_refused_and_nothing_is_overwritten(site: Site, store: Store) -> None:
    fetch(store, replace(ENTRY, sources=(at(site, weights()),)), ignore)
    before = store.path(ENTRY.name).read_bytes()
    source = replace(at(site, weights(0.5)), sha256="0" * 64)
    with pytest.raises(WeightsMismatch, match="it was deleted"):
        fetch(store, replace(ENTRY, sources=(source,)), ignore)
    assert store.path(ENTRY.name).read_bytes() == before
    assert not list(store.folder.glob("*.part"))


def test_without_a_published_hash_the_first_file_is_the_measure(site: Site, store: Store) -> None:
    wanted = replace(ENTRY, sources=(at(site, weights()),))
    assert not fetch(store, wanted, ignore).source.has_hash
    site.files["a.pkl"] = weights(0.5)
    with pytest.raises(WeightsMismatch, match="has the hash"):
        fetch(store, wanted, ignore)


def test_a_download_goes_on_where_it_broke_off(site: Site, store: Store) -> None:
    content = weights()
    source = hashed(at(site, content), content)
    site.breaks_after["a.pkl"] = 1000
    wanted = replace(ENTRY, sources=(source,))
    with pytest.raises(WeightsMissing, match="connection was lost"):
        fetch(store, wanted, ignore)
    fetch(store, wanted, ignore)
    assert site.ranges == [None, "bytes=1000-"]
    assert store.verify(ENTRY.name) is None


def test_a_file_without_end_is_cut_short_and_deleted(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    content = weights()
    wanted = replace(ENTRY, sources=(hashed(at(site, content), content),))
    with pytest.raises(WeightsMismatch, match="larger than any"):
        fetch(store, wanted, ignore)
    assert list(store.folder.iterdir()) == []


def test_a_redirect_never_leaves_https() -> None:
    handler = fetching._StayEncrypted()
    request = urllib.request.Request("https://example.org/a")
    said = io.BytesIO(), 302, "", HTTPMessage()
    with pytest.raises(urllib.error.URLError, match="not encrypted"):
        handler.redirect_request(request, *said, "http://example.org/a")
    again = handler.redirect_request(request, *said, "https://example.org/b")
    assert again is not None
    assert again.full_url == "https://example.org/b"


def test_a_whole_part_is_not_downloaded_again(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    part.write_bytes(b"whole")
    at(site, b"whole")
    download(site.url + "a.pkl", part, ignore)
    assert part.read_bytes() == b"whole"


def test_the_next_source_is_tried(site: Site, store: Store) -> None:
    sources = (at(site, name="gone.pkl"), at(site, weights()))
    receipt, _ = fetch(store, replace(ENTRY, sources=sources), ignore)
    assert receipt.origin == sources[1].url


def test_after_a_wrong_file_the_next_source_is_tried(site: Site, store: Store) -> None:
    wrong = replace(at(site, b"<html>", "wrong.pkl"), sha256="0" * 64)
    receipt, _ = fetch(store, replace(ENTRY, sources=(wrong, at(site, weights()))), ignore)
    assert receipt.origin.endswith("a.pkl")
    assert not list(store.folder.glob("*.part"))


def test_the_next_source_does_not_go_on_with_bytes_of_another(site: Site, store: Store) -> None:
    site.breaks_after["broken.pkl"] = 500
    sources = (at(site, weights(0.5), "broken.pkl"), at(site, weights()))
    receipt, _ = fetch(store, replace(ENTRY, sources=sources), ignore)
    assert receipt.origin == sources[1].url
    assert site.ranges == [None, None]
    assert not list(store.folder.glob("*.part"))


def test_no_network_is_one_sentence_with_the_way_by_hand(store: Store) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.pkl"
        with pytest.raises(WeightsMissing, match=r"127\.0\.0\.1: Connection refused") as caught:
            fetch(store, replace(ENTRY, sources=(WeightSource(url=url),)), ignore)
    assert caught.value.hint.startswith(
        f"download {url} on another machine, then: rtvfi weights add"
    )


def test_a_proxy_that_refuses_is_named(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    source = WeightSource(url="http://files.invalid/a.pkl")
    with pytest.raises(WeightsMissing, match=r"files\.invalid: HTTP 404"):
        fetch(store, replace(ENTRY, sources=(source,)), ignore)


def test_a_page_instead_of_a_file_is_refused(site: Site, store: Store) -> None:
    with pytest.raises(WeightsMismatch, match="not a weight file"):
        fetch(store, replace(ENTRY, sources=(at(site, b"<html>"),)), ignore)
    assert not list(store.folder.iterdir())
