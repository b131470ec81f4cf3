"""A virtual file over HTTP: the right bytes for its own player, nothing for anybody else."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fakes import PATIENCE, offset_of
from opened import NUM_FRAMES, Opened

from rtvfi.stream.serve.web import LOOPBACK, PictureServer, is_another_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[PictureServer]:
    pictures = PictureServer()
    yield pictures
    pictures.close()


def ask(address: str, *, method: str = "GET", **headers: str) -> HTTPResponse:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.request(method, address.removeprefix(f"http://{parts.netloc}"), headers=headers)
    return connection.getresponse()


def test_the_whole_file_is_what_a_player_inside_would_read(server: PictureServer) -> None:
    opened = Opened()
    answer = ask(server.offer(opened.stream))
    assert answer.status == 200
    assert answer.read() == opened.whole()


def test_a_range_gives_the_bytes_that_stand_there(server: PictureServer) -> None:
    opened = Opened()
    address, whole = server.offer(opened.stream), opened.whole()
    begin = offset_of(opened.mkv, 3) + 17
    for last, end in (("", len(whole)), (begin + 99, begin + 100)):
        answer = ask(address, Range=f"bytes={begin}-{last}")
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(whole)}"
        assert answer.read() == whole[begin:end]


def test_a_range_that_reaches_past_the_end_ends_with_the_file(server: PictureServer) -> None:
    opened = Opened()
    answer = ask(server.offer(opened.stream), Range=f"bytes=5-{opened.stream.size + 5}")
    assert answer.read() == opened.whole()[5:]


@pytest.mark.parametrize(
    "stated", ["bytes={size}-", "bytes=-5", "bytes=9-3", "bytes=0-1,4-5", "frames=1-2", "bytes=x-"]
)
def test_ranges_that_cannot_be_had_are_refused(server: PictureServer, stated: str) -> None:
    opened = Opened()
    answer = ask(server.offer(opened.stream), Range=stated.format(size=opened.stream.size))
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{opened.stream.size}"
    assert answer.read() == b""


def test_head_tells_the_size_and_reads_nothing(server: PictureServer) -> None:
    opened = Opened()
    answer = ask(server.offer(opened.stream), method="HEAD")
    assert int(answer.headers["Content-Length"]) == opened.stream.size
    assert opened.feed.seeks == []


def test_other_paths_and_tokens_are_refused(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    token = urlsplit(address).path.split("/")[1]
    wrong = ("", "interpolated.mkv", f"{token[:-1]}/interpolated.mkv", f"{token}/../x", f"{token}/")
    for path in (*wrong, f"{token}/interpolated.mkv?x", "%00/interpolated.mkv"):
        answer = ask(server.root + path)
        assert (answer.status, answer.read()) == (404, b""), path


@pytest.mark.parametrize("host", ["localhost:{port}", "films.example", "127.0.0.1", "127.0.0.1:1"])
def test_other_host_headers_are_refused(server: PictureServer, host: str) -> None:
    address = server.offer(Opened().stream)
    answer = ask(address, Host=host.format(port=urlsplit(address).port))
    assert (answer.status, answer.read()) == (421, b"")


def test_nothing_but_reading_is_possible(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT"):
        assert ask(address, method=method).status == 501


def test_another_users_connection_is_told_by_the_kernels_table(tmp_path: Path) -> None:
    line = (
        "  0: 0100007F:{0:04X} 0100007F:{1:04X} 01 00000000:00000000 00:00000000 00000000 {2} 0 9\n"
    )
    table = tmp_path / "tcp"
    table.write_text(
        "  sl  local_address rem_address st tx rx tr tm->when retrnsmt uid timeout inode\n"
        + line.format(40000, 50000, os.getuid())
        + line.format(40001, 50000, os.getuid() + 1)
    )
    assert not is_another_user(40000, 50000, table)
    assert is_another_user(40001, 50000, table)
    assert not is_another_user(40002, 50000, table), "the token alone decides"
    assert not is_another_user(40000, 50000, tmp_path / "none")


def test_another_user_is_refused(server: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.offer(Opened().stream)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert ask(address).status == 403


def test_nothing_listens_on_other_addresses(server: PictureServer) -> None:
    port = urlsplit(server.root).port
    assert server.host == f"{LOOPBACK}:{port}"
    with socket.socket() as other:
        other.settimeout(PATIENCE)
        assert other.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_a_film_that_is_withdrawn_is_nobodys(server: PictureServer) -> None:
    opened = Opened()
    address = server.offer(opened.stream)
    server.withdraw(opened.stream)
    assert ask(address).status == 404
    assert opened.feed.num_stops == 1


def test_the_newest_connection_reads_and_the_one_before_it_ends(server: PictureServer) -> None:
    opened = Opened(ready=2)  # a read of the third record waits
    address, size = server.offer(opened.stream), opened.mkv.record_bytes
    first = ask(address, Range=f"bytes={offset_of(opened.mkv, 1)}-")
    assert first.read(size) == opened.record(1)
    opened.feed.provide(NUM_FRAMES + 1)
    second = ask(address, Range=f"bytes={offset_of(opened.mkv, 4)}-")
    assert second.read(size) == opened.record(4)
    first.close()


def test_the_end_wakes_a_connection_that_waits_for_a_frame() -> None:
    pictures, opened = PictureServer(), Opened(ready=0)
    address = pictures.offer(opened.stream)
    answer = ask(address)
    assert answer.read(len(opened.mkv.header)) == opened.mkv.header
    with ThreadPoolExecutor(1) as reader:
        rest = reader.submit(answer.read)
        pictures.close()
        with pytest.raises(IncompleteRead):
            rest.result(PATIENCE)
