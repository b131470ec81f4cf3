"""What the large offline networks cost: GIMM-VFI, GMFSS and SAFA.

    .venv/bin/python -m benchmarks.large_models gmac             multiply-adds, counted
    .venv/bin/python -m benchmarks.large_models plain-and-ours   time and memory
        --network gmfss                                          of GMFSS, not of GIMM-VFI
        --device cuda --size 1920x1080 --dtype float16           on a GPU
    .venv/bin/python -m benchmarks.large_models types            GIMM-VFI in half precision

``gmac`` counts multiply-adds at a small size; all of them grow with the pixels of the padded
picture, 1920x1088, which is what is printed. ``plain-and-ours`` makes the two new frames of a pair
of a film shown at three times its rate, twice: as rtvfi does it (what belongs to one picture or
one pair is made once, twenty corrections but one enlarging, no table of all pairs of pixels beyond
512 MB, the last decoder in strips), and with none of that (for GMFSS see ``plain_gmfss``). Both run
in processes of their own, one after the other, so that the peak of the memory is each one's own;
the time is the processor's on a CPU. Weights are random. ``types`` makes one frame of 128x128 in
float32, float16 and bfloat16 and prints how far the latter two are from the first.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.models import pictures, random_state
from benchmarks.plain_gmfss import PlainGmfss
from rtvfi.models.catalogue import MODELS
from rtvfi.models.gimm import synthesis
from rtvfi.models.gimm.model import Gimm
from rtvfi.models.gimm.shape import expected_parameters
from rtvfi.models.gmfss.model import Gmfss
from rtvfi.models.gmfss.shape import expected_parameters as gmfss_parameters
from rtvfi.models.safa.model import Safa
from rtvfi.models.safa.shape import expected_parameters as safa_parameters
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rtvfi.models.base import Interpolator
    from rtvfi.models.gimm.model import GimmPrepared

    Frames = Callable[[Tensor, Tensor], Tensor]

FULL_HD = 1920 * 1088
SMALL = 128
TIMES = (1 / 3, 2 / 3)


def gimm(tuning: Tuning, volume_bytes: int = 512 << 20) -> Gimm:
    """With random parameters and motions of a few pixels."""
    state = random_state(expected_parameters())
    for key in state:
        if key.endswith("running_var"):
            state[key] = torch.ones_like(state[key])
        if "flow_head" in key or key.startswith("amt_final_decoder.convblock.4"):
            state[key] = 0.02 * state[key]
    state["g_filter"] = torch.full((1, 1, 1, 3, 3), 1 / 9)
    net = Gimm(state, MODELS["gimm"], tuning)
    net.volume_bytes = volume_bytes
    return net


def counted(run: Callable[[], object]) -> float:
    """10^9 multiply-adds of ``run`` at SMALL x SMALL, as they would be at 1920x1088."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2e9 * FULL_HD / SMALL**2


@torch.inference_mode()
def gmac() -> None:
    """Print the counts, by what the work depends on."""
    tuning = tune(torch.device("cpu"), torch.float32)
    net = gimm(tuning, volume_bytes=0)
    first, second, _ = pictures(SMALL, SMALL, tuning.device, tuning.dtype)
    a, b = net.prepare(first), net.prepare(second)
    per_picture = counted(lambda: net.prepare(first))
    one, two = (counted(lambda ts=ts: net.pair(a, b, ts)) for ts in ((0.5,), TIMES))
    print(f"gimm: a picture {per_picture:.0f}, a pair {2 * one - two:.0f}, a time {two - one:.0f}")
    for factor in (1, 2, 4):
        cost = safa_gmac(tuning, factor, first, second)
        print(f"safa: a picture, blocks at 1/{2 * factor} of the size {cost:.0f}")


def safa_gmac(tuning: Tuning, factor: int, first: Tensor, second: Tensor) -> float:
    """Of one picture restored, with that decision in every block."""
    net = Safa(random_state(safa_parameters()), tuning)
    decide = net._scale
    net._scale = lambda given: decide(given)._replace(factor=factor)  # type: ignore[method-assign]
    p, q = net.prepare(first), net.prepare(second)
    return counted(lambda: net.prepare(first)) + counted(lambda: net.restore(p, q))


# --- against plain formulas ------------------------------------------------------------------


class PlainGimm(Gimm):
    """The same network with nothing kept.

    What belongs to a picture or a pair is made for every time, every correction is enlarged, all
    pairs of pixels are in a table, and nothing is in strips.
    """

    def __init__(self, whole: Gimm) -> None:
        self.__dict__ |= whole.__dict__
        self.volume_bytes = 1 << 62
        self.synthesis.strip_bytes = 1 << 62

    def frames(self, first: Tensor, second: Tensor) -> Tensor:
        """(2, 3, H, W)."""
        return torch.cat([self._one(first, second, t) for t in TIMES])

    def _one(self, first: Tensor, second: Tensor, t: float) -> Tensor:
        a, b = self.prepare(first), self.prepare(second)
        motion = self.motion.pair(*self.flows(a, b))
        features = (a.source.matching, b.source.matching)
        matches = synthesis.Matches(*features, volume_bytes=1 << 62)
        return self._frame(a, b, motion, matches, t)

    def flows(self, a: GimmPrepared, b: GimmPrepared) -> tuple[Tensor, Tensor]:
        """Both directions one after the other; twenty enlargings each."""
        net, step = self.raft, self.raft.step

        def enlarging_step(*given: Tensor) -> tuple[Tensor, Tensor]:
            hidden, delta = step(*given)  # type: ignore[arg-type]
            mask = net.enlarging(hidden).view(1, 1, 9, 64, *hidden.shape[-2:]).softmax(2)
            around = functional.unfold(delta, 3, padding=1).view(1, 2, 9, 1, *hidden.shape[-2:])
            (mask * around).sum(2)
            return hidden, delta

        net.step = enlarging_step  # type: ignore[method-assign, assignment]
        try:
            there = self._one_way(a, b)
            return there, self._one_way(b, a)
        finally:
            net.step = step  # type: ignore[method-assign]

    def _one_way(self, a: GimmPrepared, b: GimmPrepared) -> Tensor:
        from rtvfi.models.gimm.correlation import Correlation

        return self.raft.flow(a.start, Correlation(a.search[0], b.search, 1 << 62))


def works(network: str, kind: str, tuning: Tuning) -> tuple[Interpolator, Frames | None]:
    """The network as it is, and its plain formulas if these are asked for."""
    if network == "gimm":
        net = gimm(tuning)
        return net, PlainGimm(net).frames if kind == "plain" else None
    state = random_state(gmfss_parameters("gmfss", ""))
    whole = Gmfss(state, MODELS["gmfss"], tuning, metric_tanh=True)
    plain = PlainGmfss(state, metric_tanh=True)
    if kind != "plain":
        return whole, None
    return whole, lambda a, b: torch.cat([plain(a, b, t) for t in TIMES])


def mb(name: str) -> float:
    """A figure of ``/proc/self/status``, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(x.split()[1]) for x in status.splitlines() if x.startswith(name)) * 1024 / 1e6


@torch.inference_mode()
def measure(network: str, kind: str, size: tuple[int, int], tuning: Tuning) -> None:
    """Print seconds and peak MB of two frames of one pair, and a sum of what was made.

    On a CPU the memory is what comes on top of parameters and libraries.
    """
    net, plain = works(network, kind, tuning)
    first, second, _ = pictures(*size, tuning.device, tuning.dtype)
    on_gpu = tuning.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    else:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    held = 0.0 if on_gpu else mb("VmRSS")
    before = net.prepare(first) if plain is None else None
    start = time.perf_counter() if on_gpu else time.process_time()
    made = plain(first, second) if plain else net.pair(before, net.prepare(second), TIMES)
    if on_gpu:
        torch.cuda.synchronize()
    taken = (time.perf_counter() if on_gpu else time.process_time()) - start
    peak = torch.cuda.max_memory_allocated() / 1e6 if on_gpu else mb("VmHWM") - held
    print(f"{kind} {taken:.2f} {peak:.0f} {made.double().mean().item():.6f}", flush=True)


@torch.inference_mode()
def types() -> None:
    """Print how far half precision is from float32."""
    device, shown = torch.device("cpu"), {}
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        net = gimm(tune(device, dtype))
        a, b, _ = (net.prepare(p) for p in pictures(SMALL, SMALL, device, dtype))
        start = time.process_time()
        shown[dtype] = net.pair(a, b, (0.5,)).double()
        taken = time.process_time() - start
        difference = (shown[dtype] - shown[torch.float32]).abs()
        psnr = -10 * difference.square().mean().log10()
        print(
            f"{dtype!s:<15} {taken:6.1f} s   {psnr:5.1f} dB from float32, at most "
            f"{255 * difference.max():.2f} of 255, {255 * difference.mean():.3f} on average"
        )


def compare(arguments: list[str], network: str, size: str) -> None:
    """Run both in processes of their own and print the ratio."""
    rows = {}
    for kind in ("ours", "plain"):
        command = [sys.executable, "-m", "benchmarks.large_models", kind, *arguments]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        _, seconds, peak, mean = text.split()
        rows[kind] = (float(seconds), float(peak))
        print(f"{network} {size} {kind:<6} {seconds:>8} s {peak:>7} MB   mean of the frames {mean}")
    time_ratio, memory_ratio = (p / o for p, o in zip(rows["plain"], rows["ours"], strict=True))
    print(f"plain / ours: time {time_ratio:.2f}, memory {memory_ratio:.2f}")


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description="What the large networks cost.")
    parser.add_argument("what", choices=("gmac", "plain-and-ours", "types", "ours", "plain"))
    parser.add_argument("--network", choices=("gimm", "gmfss"), default="gimm")
    parser.add_argument("--size", default="640x384")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.what in ("gmac", "types"):
        {"gmac": gmac, "types": types}[options.what]()
        return
    names = ("network", "size", "device", "dtype", "threads")
    if options.what == "plain-and-ours":
        compare([f"--{n}={getattr(options, n)}" for n in names], options.network, options.size)
        return
    width, height = map(int, options.size.split("x"))
    tuning = tune(torch.device(options.device), getattr(torch, options.dtype))
    measure(options.network, options.what, (width, height), tuning)


if __name__ == "__main__":
    main()
