"""What docs/security.md promises, as far as reading the source and running it can tell."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clips import Clips, ClipSpec
from scripts import run_script

from rtvfi.models.weights.store import WheelSource, manifest
from rtvfi.stream.decode.container import ffmpeg_name
from rtvfi.stream.serve.web import LOOPBACK
from rtvfi.studio.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FILM = ClipSpec(num_frames=24, size=(160, 90), audio=True)


@cache
def sources() -> dict[Path, ast.Module]:
    """The product's modules."""
    paths = (ROOT / "rtvfi").rglob("*.py")
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """(place, dotted name, call) of every call."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), node)
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


@cache
def all_imports() -> list[tuple[str, str]]:
    """(module, what it imports) of every import."""
    found = []
    for path, tree in sources().items():
        place = str(path.relative_to(ROOT / "rtvfi"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [(place, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.append((place, node.module))
    return found


def imports(name: str) -> set[str]:
    """The modules that import ``name`` or something inside it."""
    return {place for place, n in all_imports() if n == name or n.startswith(name + ".")}


# ---- read in the source ----


def test_no_shell_is_ever_started() -> None:
    forbidden = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    for place, name, call in calls():
        assert name not in forbidden, place
        assert keyword(call, "shell") is None, place
        if name.startswith("subprocess.") and call.args:
            assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), place


def test_no_text_becomes_code() -> None:
    for place, name, _ in calls():
        assert name not in {"eval", "exec", "compile", "__import__"}, place
        assert not name.startswith(("marshal.", "shelve.", "yaml.")), place


def test_no_pickle_is_trusted() -> None:
    assert imports("pickle") <= {"models/weights/file.py"}  # for the name of an error
    for place, name, call in calls():
        assert name not in {"pickle.load", "pickle.loads", "pickle.Unpickler"}, place
        if name == "torch.load":
            assert keyword(call, "weights_only") == "True", place
        if name.endswith(("np.load", "numpy.load")):
            assert keyword(call, "allow_pickle") in (None, "False"), place


LISTENING = {
    "apart/attached.py",  # connects to the socket of the mpv that started it
    "apart/control.py",  # a socket of its own in the file system
    "apart/reader.py",  # connects to the Unix socket of an engine of this window
    "apart/early.py",  # a pair of sockets between a process and its copy
    "cluster/link.py",  # looks whether an address is private
    "playing/mpv/remote.py",  # speaks over the connection it is given
    "stream/serve/peer.py",  # asks whose the other end is
    "stream/serve/web.py",
    "studio/server.py",
}
"""What may touch sockets; nobody else is reached by them unless a cluster was named."""


WEB = {("_Server", 1), ("_UnixServer", 1)}
"""What listens for players, and which argument says where."""


def test_one_module_talks_to_the_network() -> None:
    for name in ("urllib.request", "http.client"):
        assert imports(name) == {"models/weights/fetch.py"}, name
    assert imports("socket") == LISTENING
    assert imports("http.server") == {"stream/serve/web.py"}
    assert imports("distributed") <= {"cluster/farm.py", "cluster/link.py", "cluster/worker.py"}
    for name in ("ftplib", "requests", "smtplib", "xmlrpc"):
        assert imports(name) == set(), name


def test_what_listens_can_be_reached_from_this_machine_alone() -> None:
    assert (LOOPBACK, HOST) == ("127.0.0.1", "127.0.0.1")
    places = {
        (place.partition(":")[0], ast.unparse(call.args[0]))
        for place, name, call in calls()
        if call.args and name.endswith(".bind")
        if name != "draw.bind"  # of keys
    } | {
        (place.partition(":")[0], ast.unparse(call.args[which]))
        for place, name, call in calls()
        for server, which in WEB
        if name == server and place.startswith("rtvfi/stream/serve/web.py:")
    }
    assert places == {
        ("rtvfi/apart/control.py", "str(path)"),
        ("rtvfi/stream/serve/web.py", "(LOOPBACK, 0)"),
        ("rtvfi/stream/serve/web.py", "f'\\x00{self.host}'"),  # a Unix socket of no path
        ("rtvfi/studio/server.py", "(HOST, port)"),
    }


def test_children_are_started_in_few_places() -> None:
    assert imports("subprocess") == {
        "cli/commands/desktop.py",
        "core/ffmpeg.py",
        "core/program.py",
        "core/python_process.py",
        "models/weights/wheel.py",
        "quality/films.py",
        "quality/minterpolate.py",
        "quality/mvtools.py",
        "quality/triplets.py",
        "render/shows.py",
    }
    for name in ("multiprocessing", "pty"):
        assert imports(name) <= {"train/workers.py"}, name


def test_temporary_names_are_nobodys_guess() -> None:
    for place, name, _ in calls():
        assert not name.endswith(("mktemp", "tempnam", "tmpnam")), place


def test_no_permission_is_widened() -> None:
    for place, name, call in calls():
        assert not name.endswith(("os.chmod", ".chmod", "os.chown")), place
        if name == "os.umask":  # a socket that nobody else may open, and back
            assert ast.unparse(call.args[0]) in ("127", "before"), place
            assert place.startswith("rtvfi/apart/control.py"), place


def test_weights_come_encrypted_and_are_checked() -> None:
    for entry in manifest().values():
        for source in entry.sources:
            if isinstance(source, WheelSource):
                assert len(source.wheel_sha256) == len(source.sha256) == 64, entry.name
            else:
                assert source.url.startswith("https://"), entry.name


def test_time_that_is_compared_does_not_jump() -> None:
    """The wall clock goes back and forth; only the monotonic one measures."""
    for place, name, _ in calls():
        if not place.startswith(("rtvfi/train/", "rtvfi/draw/")):
            assert name not in {"time.time", "datetime.now", "datetime.datetime.now"}, place


def test_every_path_goes_to_ffmpeg_as_a_file() -> None:
    """What is opened otherwise is no path, or one that rtvfi made up."""
    others = {"child", "cast('Any', child)", "file", "io.BytesIO()", "io.BytesIO(made)"}
    for place, name, call in calls():
        if name == "av.open" and not place.startswith(("rtvfi/draw/", "rtvfi/bench/")):
            what = ast.unparse(call.args[0])
            assert what.startswith("ffmpeg_name(") or what in others, f"{place}: {what}"


@pytest.mark.parametrize("name", ["-v.mkv", "concat:a|b.mkv", "http:x.mkv", "pipe:0", "a:b", "%d"])
def test_a_local_name_is_never_an_option_or_a_protocol(name: str) -> None:
    assert ffmpeg_name(name) == f"file:{name}"


# ---- run ----

FORBID = """
import os, sys
terminal = os.dup(2)  # an engine apart has no other
def is_here(event, address):
    is_file = isinstance(address, (str, bytes)) and event != "socket.getaddrinfo"
    return "apart" in sys.argv and (is_file or address[0] == "127.0.0.1")
def forbid(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        if not is_here(event, arguments[1] if event != "socket.getaddrinfo" else arguments):
            os.write(terminal, f"NETWORK {event} {arguments}".encode())
            raise SystemExit(f"NETWORK {event} {arguments}")
    if event in ("os.system", "pickle.find_class"):
        raise SystemExit(f"FORBIDDEN {event}")
sys.addaudithook(forbid)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
    print("no namespace", file=sys.stderr)
from rtvfi.__main__ import run
run()
"""
"""Runs the command with neither Python's sockets nor, where the kernel lets us, any network; an
engine apart may have sockets on this machine.
"""


def offline(*words: str) -> subprocess.CompletedProcess[str]:
    return run_script(FORBID, *words)


QUIET = ("vo=null", "ao=null", "config=no", "osc=no", "load-scripts=no", "untimed=yes")
MPV = tuple(word for option in QUIET for word in ("--mpv", option))


@pytest.mark.parametrize(
    "words",
    [
        ("info", "FILM"),
        ("render", "FILM", "-o", "OUT/o.mkv", "--model", "cel", "--device", "cpu"),
        *(
            pytest.param(
                ("play", "FILM", "--model", model, "--device", "cpu", "--engine", engine, *MPV),
                marks=pytest.mark.mpv,
            )
            for model, engine in (("linear", "inside"), ("copy", "apart"))
        ),
    ],
    ids=["info", "render", "play", "play apart"],
)
def test_nothing_goes_over_the_network_unasked(
    words: tuple[str, ...], clips: Clips, tmp_path: Path
) -> None:
    film = str(clips.get(FILM))
    done = offline(*(w.replace("FILM", film).replace("OUT", str(tmp_path)) for w in words))
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who would notice."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("command", ["info", "render"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nURL/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile URL/a.mkv\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
    ],
)
def test_a_file_that_names_addresses_fetches_none(
    command: str, text: str, tmp_path: Path, listener: socket.socket
) -> None:
    film = tmp_path / "film.mkv"
    film.write_text(text.replace("URL", f"http://127.0.0.1:{listener.getsockname()[1]}"))
    done = subprocess.run(
        [sys.executable, "-m", "rtvfi", command, str(film)],
        cwd=ROOT,
        env=os.environ | {"RTVFI_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("error: ")) == (1, 1), done.stderr
    with pytest.raises(BlockingIOError):
        listener.accept()
