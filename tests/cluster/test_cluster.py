"""A real scheduler, real workers, real kills: what comes out is what one machine makes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clips import ClipSpec
from files import same_pictures, track

from rtvfi.cli import main as cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clips import Clips

pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
FILM = ClipSpec(num_frames=240, audio=True, cuts=(100,), size=(160, 90))
WORDS = ("--model", "linear", "--style", "plain", "--multi", "2", "--encoder", "ffv1")
OF_ANOTHER = """\
import sys
import rtvfi.cluster.work as work
from rtvfi.__main__ import run
work.{name} = lambda *_: "another"
sys.argv = ["rtvfi", "worker", sys.argv[1]]
run()
"""


class Cluster:
    """A scheduler on this machine and whatever the test starts beside it."""

    def __init__(self, folder: Path, tls: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._tls = tls
        self._processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.start_scheduler()

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """A Python with these words; what it says goes to a file."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", *words],
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": str(ROOT), "RTVFI_CONFIG": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def start_scheduler(self) -> None:
        host, _, port = self.address.partition(":")
        tls = [word.replace("--tls-ca", "--tls-ca-file") for word in self._tls]
        words = ("--host", host, "--port", port, "--no-dashboard", *tls)
        before = self.said("scheduler").count("Scheduler at")
        self.scheduler = self.start("scheduler", "-m", "distributed.cli.dask_scheduler", *words)
        self.until(lambda: self.said("scheduler").count("Scheduler at") > before)

    def start_worker(self, name: str) -> subprocess.Popen[bytes]:
        process = self.start(name, "-m", "rtvfi", "worker", self.address, *self._tls)
        self.until(lambda: "waiting for work" in self.said(name))
        return process

    def start_client(self, source: Path, target: Path, *words: str) -> subprocess.Popen[bytes]:
        line = ("render", str(source), "-o", str(target), "--on", self.address, *WORDS)
        return self.start("client", "-m", "rtvfi", *line, *self._tls, *words)

    def said(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that comes."""
        end = time.monotonic() + SECONDS
        while not is_so():
            if time.monotonic() > end:
                logs = {p.name: p.read_text() for p in self._folder.glob("*.log")}
                pytest.fail(f"it never came: {logs}")
            time.sleep(0.05)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
        for process in self._processes:
            process.wait()


@contextmanager
def cluster_in(folder: Path, tls: tuple[str, ...] = ()) -> Iterator[Cluster]:
    cluster = Cluster(folder, tls)
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path) as cluster:
        yield cluster


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_where_no_scheduler_is_both_sides_say_so(clips: Clips, tmp_path: Path) -> None:
    with cluster_in(tmp_path) as cluster:
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        worker = cluster.start("one", "-m", "rtvfi", "worker", cluster.address)
        client = cluster.start_client(clips.get(FILM), tmp_path / "o.mkv")
        for name, process in (("one", worker), ("client", client)):
            assert process.wait(SECONDS) == 1
            assert f"no scheduler answers at tcp://{cluster.address}" in cluster.said(name)


def assert_as_here(source: Path, made: Path, folder: Path) -> None:
    """Pictures and sound are those of a rendering on this machine alone."""
    here = folder / "here.mkv"
    assert cli.main(["render", str(source), "-o", str(here), "--device", "cpu", *WORDS]) == 0
    assert same_pictures(made, here)
    assert track(made, "audio").data == track(here, "audio").data
    assert not made.with_name(made.name + ".rtvfi").exists()


def segments(target: Path) -> int:
    """How many are here."""
    return len(list(target.with_name(target.name + ".rtvfi").glob("segments/0*.json")))


@pytest.mark.timeout(300)
def test_two_workers_make_what_one_machine_makes_and_another_version_does_not_take_part(
    cluster: Cluster, clips: Clips, tmp_path: Path
) -> None:
    source, target = clips.get(FILM), tmp_path / "o.mkv"
    other = cluster.start("other", "-c", OF_ANOTHER.format(name="version"), cluster.address)
    cluster.until(lambda: "waiting for work" in cluster.said("other"))
    for name in ("one", "two"):
        cluster.start_worker(name)
    client = cluster.start_client(source, target)
    assert client.wait(SECONDS) == 0, cluster.said("client")
    refused = r"worker \S+ is refused: its version of rtvfi is another, expected \d"
    assert re.search(refused, cluster.said("client"))
    assert other.wait(SECONDS) == 0
    assert "this worker was refused and exits: its version of rtvfi is another" in cluster.said(
        "other"
    )
    assert_as_here(source, target, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("victim", ["worker", "client", "scheduler"])
def test_what_is_killed_on_the_way_loses_nothing(
    victim: str, cluster: Cluster, clips: Clips, tmp_path: Path
) -> None:
    source = clips.get(FILM, num_frames=960)
    target = tmp_path / "o.mkv"
    workers = [cluster.start_worker(name) for name in ("one", "two", "three")]
    client = cluster.start_client(source, target)
    cluster.until(lambda: segments(target) >= 1)
    if victim == "worker":
        workers[0].kill()
        assert client.wait(SECONDS) == 0, cluster.said("client")
    elif victim == "client":
        client.kill()
        client.wait()
        before = segments(target)
        assert before >= 1
        client = cluster.start_client(source, target, "--resume")
        assert client.wait(SECONDS) == 0, cluster.said("client")
        assert re.search(r"continuing: \d+ of \d+ segments are finished", cluster.said("client"))
    else:
        cluster.scheduler.kill()
        assert client.wait(SECONDS) == 1, cluster.said("client")
        assert "lost the connection to the scheduler" in cluster.said("client")
        for worker in workers:
            worker.kill()
            worker.wait()
        cluster.start_scheduler()
        cluster.start_worker("four")
        client = cluster.start_client(source, target)
        assert client.wait(SECONDS) == 0, cluster.said("client")
    assert_as_here(source, target, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_other_weights_are_refused_and_films_are_sent(
    cluster: Cluster, clips: Clips, tmp_path: Path
) -> None:
    source, target = clips.get(FILM), tmp_path / "o.mkv"
    script = OF_ANOTHER.format(name="sha256_of")
    other = cluster.start("other", "-c", script, cluster.address)
    cluster.until(lambda: "waiting for work" in cluster.said("other"))
    away = """\
import rtvfi.cluster.work as w
real = w._is_it
w._is_it = lambda path, task: path != task.source and real(path, task)
"""
    worker = cluster.start("one", "-c", away + OF_ANOTHER.format(name="unused"), cluster.address)
    cluster.until(lambda: "waiting for work" in cluster.said("one"))
    words = ("--model", "cel", "--send")
    client = cluster.start_client(source, target, *words)
    assert client.wait(SECONDS) == 0, cluster.said("client")
    assert "is refused: its weights of cel is another" in cluster.said("client")
    assert "sending" in cluster.said("client")
    assert other.wait(SECONDS) == 0
    worker.send_signal(signal.SIGINT)
    assert worker.wait(SECONDS) == 130


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_with_certificates_all_is_encrypted(clips: Clips, tmp_path: Path) -> None:
    pem, key = tmp_path / "me.pem", tmp_path / "key.pem"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rtvfi")
    subprocess.run(
        ["openssl", *words, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True
    )
    tls = ("--tls-ca", str(pem), "--tls-cert", str(pem), "--tls-key", str(key))
    source, target = clips.get(FILM), tmp_path / "o.mkv"
    with cluster_in(tmp_path, tls) as cluster:
        assert "tls://" in cluster.said("scheduler")
        cluster.start_worker("one")
        plain = cluster.start("plain", "-m", "rtvfi", "worker", cluster.address)
        assert plain.wait(SECONDS) == 1
        assert "no scheduler answers" in cluster.said("plain")
        client = cluster.start_client(source, target)
        assert client.wait(SECONDS) == 0, cluster.said("client")
    assert_as_here(source, target, tmp_path)
