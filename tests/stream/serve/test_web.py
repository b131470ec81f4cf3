"""A virtual file over HTTP: the right bytes for its own player, nothing for anybody else."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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

METHODS = ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PROPFIND")
NOBODY = 65534


def is_film(answer: bytes) -> bool:
    return b"\x1aE\xdf\xa3" in answer or answer[:12].endswith((b" 200", b" 206"))


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


def request_for(address: str, *headers: str, method: str = "GET", version: str = "") -> bytes:
    """A request as text, with the right ``Host`` where no header says another."""
    parts = urlsplit(address)
    lines = [f"{method} {parts.path}{version or ' HTTP/1.1'}", *headers]
    if not any(header.lower().startswith("host") for header in headers):
        lines.append(f"Host: {parts.netloc}")
    return "\r\n".join([*lines, "", ""]).encode()


def raw(address: str, request: bytes) -> bytes:
    """All that comes back; a connection that breaks has brought what it has."""
    parts = urlsplit(address)
    got = b""
    one = socket.create_connection((str(parts.hostname), int(parts.port or 0)), PATIENCE)
    with one, suppress(ConnectionError):
        one.sendall(request)
        while piece := one.recv(1 << 16):
            got += piece
    return got


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


def test_two_hosts_or_none_are_refused(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    host = f"Host: {urlsplit(address).netloc}"
    for hosts in ([host, host], [host, "Host: films.example"], ["Hostess: x"]):
        assert b" 421 " in raw(address, request_for(address, *hosts)).splitlines()[0], hosts


def test_several_ranges_are_refused_however_they_are_asked_for(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    for ranges in (["bytes=0-1, 4-5"], ["bytes=0-1", "bytes=4-5"], ["bytes=0-1", "bytes=0-1"]):
        request = request_for(address, *(f"Range: {one}" for one in ranges))
        assert b" 416 " in raw(address, request).splitlines()[0], ranges


@pytest.mark.parametrize("method", [*METHODS, "get", "BREW", ""])
def test_nothing_but_reading_is_possible(server: PictureServer, method: str) -> None:
    opened = Opened()
    address = server.offer(opened.stream)
    assert not is_film(raw(address, request_for(address, method=method)))
    assert opened.feed.seeks == []
    if method in METHODS:
        assert ask(address, method=method).status == 501


@pytest.mark.parametrize("version", [" HTTP/2.0", " HTTP/x", " ", " HTTP/1.1 more"])
def test_a_request_of_another_version_gets_nothing(server: PictureServer, version: str) -> None:
    address = server.offer(Opened().stream)
    assert not is_film(raw(address, request_for(address, "Host: x", version=version)))


def test_a_web_page_may_read_nothing_whatever_it_says_it_is(server: PictureServer) -> None:
    address = server.offer(Opened().stream)
    for origin in ("https://films.example", "null", server.root[:-1]):
        # Programs send one, too: mpv does where its http-header-fields have it.
        answer = ask(address, method="HEAD", Origin=origin, Referer=origin)
        assert answer.status == 200
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert ask(address, method="OPTIONS", Origin=origin).status == 501


@pytest.mark.parametrize(
    "headers",
    [
        ["X: " + "x" * 70_000],
        ["X: x"] * 200,
        ["X" * 70_000],
        ["Range: bytes=" + "9" * 5000 + "-"],
        ["Range: bytes=0-" + "9" * 5000],
    ],
)
def test_huge_headers_are_refused(server: PictureServer, headers: list[str]) -> None:
    opened = Opened()
    address = server.offer(opened.stream)
    assert not is_film(raw(address, request_for(address, *headers)))
    assert not is_film(raw(address, request_for(address + "/" + "x" * 70_000)))
    assert opened.feed.seeks == []
    assert ask(address, method="HEAD").status == 200


def test_requests_that_never_end_keep_nobody_from_the_film_and_end_with_the_server() -> None:
    pictures, opened = PictureServer(), Opened()
    address = pictures.offer(opened.stream)
    parts = urlsplit(address)
    begun = [
        socket.create_connection((LOOPBACK, int(parts.port or 0)), PATIENCE) for _ in range(20)
    ]
    for number, one in enumerate(begun):
        one.sendall(request_for(address)[: 1 + 3 * number])
    assert ask(address).read() == opened.whole()
    pictures.close()
    for one in begun:
        with one, suppress(ConnectionError):
            assert one.recv(1) == b""


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


def test_another_user_is_hung_up_on(server: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.offer(Opened().stream)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert raw(address, request_for(address)) == b""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_is_hung_up_on_for_real(server: PictureServer) -> None:
    opened = Opened()
    address = server.offer(opened.stream)
    parts = urlsplit(address)
    code = (
        "import socket, sys\n"
        f"one = socket.create_connection(('{parts.hostname}', {parts.port}), {PATIENCE})\n"
        "try:\n"
        f"    one.sendall({request_for(address)!r})\n"
        "    sys.exit('was answered' if one.recv(1) else 0)\n"
        "except ConnectionError:\n"
        "    pass\n"
    )
    # That of the tests may lie where nobody else can go.
    words = [shutil.which("python3", path=os.defpath) or sys.executable, "-I", "-S", "-c", code]
    try:
        done = subprocess.run(
            words, check=False, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[]
        )
    except PermissionError:
        pytest.skip("nobody else may run Python here")
    assert done.returncode == 0
    assert opened.feed.seeks == []
    assert ask(address).status == 200, "its own user is served all the same"


def test_nothing_listens_on_other_addresses(server: PictureServer) -> None:
    port = urlsplit(server.root).port
    assert server.host == f"{LOOPBACK}:{port}"
    with socket.socket(socket.AF_INET6) as other, suppress(OSError):  # there may be no IPv6
        other.settimeout(PATIENCE)
        assert other.connect_ex(("::1", port)) != 0
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


def ending_early(num_frames: int) -> Opened:
    """A film whose container promises more frames."""
    opened = Opened()
    for index in [*opened.feed.frames][num_frames:]:
        del opened.feed.frames[index]
    return opened


@pytest.mark.parametrize("num_frames", [0, 4, NUM_FRAMES - 1])
def test_a_film_that_ends_early_is_filled_with_a_void_element(
    server: PictureServer, num_frames: int
) -> None:
    opened = ending_early(num_frames)
    data = ask(server.offer(opened.stream)).read()
    assert len(data) == opened.stream.size
    end = offset_of(opened.mkv, num_frames)
    kept = [opened.record(index) for index in range(num_frames)]
    assert data[:end] == opened.mkv.header + b"".join(kept)
    element, content = data[end : end + 9], data[end + 9 :]
    assert element == b"\xec\x01" + len(content).to_bytes(7)
    assert not any(content)


def test_a_range_of_what_a_film_does_not_have_is_filled(server: PictureServer) -> None:
    opened = ending_early(3)
    begin = offset_of(opened.mkv, 4)
    for num_bytes in (5, 30):
        asked = f"bytes={begin}-{begin + num_bytes - 1}"
        answer = ask(server.offer(opened.stream), Range=asked).read()
        void = b"\xec\x01" + (opened.stream.size - begin - 9).to_bytes(7) + bytes(num_bytes)
        assert answer == void[:num_bytes]


def test_a_film_that_fails_is_not_filled(server: PictureServer) -> None:
    opened = ending_early(4)
    opened.feed.error = RuntimeError("broken")
    with pytest.raises(IncompleteRead):
        ask(server.offer(opened.stream)).read()


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
