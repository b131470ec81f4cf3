"""Building: devices, scales, rates, and a viewing that plays from file to bytes."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import FakePlayhead, FakeSource, stream_info
from held import held

from rtvfi.core.errors import DeviceError, ModelError, UsageError
from rtvfi.core.frame import Kind, StreamInfo
from rtvfi.core.options import StreamOptions
from rtvfi.core.rates import RateChoice, parse_rate
from rtvfi.engine import session
from rtvfi.engine.session import (
    ModelHost,
    Place,
    Viewing,
    keep_freed_memory,
    resolve_device,
    target_rate,
    view,
)
from rtvfi.models.catalogue import find
from rtvfi.stream.plan.ladder import Variant
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

INFO = stream_info()


# --- devices ---------------------------------------------------------------------------------


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.version, "cuda", None)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    return monkeypatch


@pytest.mark.usefixtures("_no_gpu")
def test_auto_without_a_gpu_is_the_cpu() -> None:
    assert resolve_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_gpu() -> None:
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.usefixtures("two_gpus")
def test_the_cpu_is_the_cpu_beside_a_gpu() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("name", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_gpu_is_found_by_number(name: str, number: int) -> None:
    assert resolve_device(name) == torch.device("cuda", number)


@pytest.mark.usefixtures("two_gpus")
def test_a_number_too_high_says_how_many_there_are() -> None:
    with pytest.raises(DeviceError, match='"cuda:2" is not there, there are 2') as caught:
        resolve_device("cuda:2")
    assert caught.value.hint == "use cuda:0"


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "rocm"])
def test_a_named_gpu_without_one_fails_and_says_what_torch_is_built_for(name: str) -> None:
    with pytest.raises(DeviceError, match=f'"{name}".*built for the CPU only') as caught:
        resolve_device(name)
    assert "--device auto" in caught.value.hint


@pytest.mark.usefixtures("two_gpus")
def test_rocm_is_not_cuda() -> None:
    with pytest.raises(DeviceError, match=r"built for CUDA 12\.8"):
        resolve_device("rocm")


def test_cuda_is_not_rocm(two_gpus: pytest.MonkeyPatch) -> None:
    two_gpus.setattr(torch.version, "hip", "6.4")
    assert resolve_device("rocm:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match=r"built for ROCm 6\.4"):
        resolve_device("cuda")


# --- rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scale"),
    [((1920, 1080), 1.0), ((1920, 1088), 1.0), ((1920, 1090), 0.5), ((3840, 2160), 0.5)],
)
def test_motion_is_estimated_at_half_size_above_full_hd(
    size: tuple[int, int], scale: float
) -> None:
    assert ModelHost("cpu", StreamOptions()).flow_scale(stream_info(*size)) == scale


def test_a_flow_scale_that_was_asked_for_holds() -> None:
    host = ModelHost("cpu", StreamOptions(flow_scale=0.25))
    assert host.flow_scale(stream_info(3840, 2160)) == 0.25


@pytest.mark.parametrize(
    ("display", "rate"),
    [
        (None, Fraction(60000, 1001)),
        (float("nan"), Fraction(60000, 1001)),
        (0.0, Fraction(60000, 1001)),
        (59.94005994, Fraction(60000, 1001)),
        (143.973, Fraction(144000, 1001)),
        (48.0, Fraction(48000, 1001)),
    ],
)
def test_the_display_sets_the_rate(display: float | None, rate: Fraction) -> None:
    info = stream_info(source_rate=Fraction(24000, 1001))
    assert target_rate(RateChoice("display"), info, display) == rate


def test_a_multiple_needs_no_display() -> None:
    assert target_rate(parse_rate("2x"), INFO, None) == 48


def test_keeping_freed_memory_is_harmless_twice() -> None:
    keep_freed_memory()
    keep_freed_memory()


# --- a viewing -------------------------------------------------------------------------------


class Viewed:
    """A viewing of fake frames; closed by the fixture."""

    def __init__(self, info: StreamInfo, options: StreamOptions, place: Place) -> None:
        source = FakeSource(info, 24)
        self.playhead = FakePlayhead()
        self.pipeline = Pipeline(source.opener, self.playhead)
        self.viewing: Viewing = view(
            self.pipeline, "film.mkv", self.pipeline.open(), options, place, self.playhead
        )

    def read(self) -> bytes:
        got = b""
        buffer = ctypes.create_string_buffer(4096)
        while count := self.viewing.stream.read_into(ctypes.addressof(buffer), 4096):
            got += buffer.raw[:count]
        return got


@pytest.fixture
def make_viewed() -> Iterator[Any]:
    made: list[Viewed] = []

    def make(
        info: StreamInfo = INFO,
        options: StreamOptions | None = None,
        origin: Fraction = Fraction(0),
        duration: Fraction = Fraction(1),
    ) -> Viewed:
        made.append(Viewed(info, options or StreamOptions(), Place(Fraction(48), origin, duration)))
        return made[-1]

    yield make
    for viewed in made:
        viewed.viewing.close()


def test_a_viewing_serves_the_whole_file(make_viewed: Any) -> None:
    viewed = make_viewed()
    whole = viewed.read()
    assert len(whole) == viewed.viewing.stream.size
    assert viewed.viewing.stream.num_asked == 48
    assert viewed.pipeline.statistics().counts == {Kind.COPY: 48}


def test_a_length_stated_too_long_ends_with_the_last_frame(make_viewed: Any) -> None:
    viewed = make_viewed(duration=Fraction(3))
    whole = viewed.read()
    assert len(whole) < viewed.viewing.stream.size
    assert viewed.viewing.stream.num_asked == 48


def test_a_first_frame_within_a_millisecond_of_zero_is_at_zero(make_viewed: Any) -> None:
    start = Fraction(1, 24)
    origin = Fraction(41_667, 1_000_000)
    viewed = make_viewed(stream_info(start=start), origin=origin)
    viewed.read()
    assert viewed.viewing.stream.num_asked == 48


def test_a_late_first_frame_fills_the_time_before_it(make_viewed: Any) -> None:
    viewed = make_viewed(stream_info(start=Fraction(1, 2)))
    viewed.read()
    assert viewed.viewing.stream.num_asked == 24 + 48


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (StreamOptions(ring_seconds=0.5), 24),
        (StreamOptions(ring_seconds=0.01), 2),
        (StreamOptions(ring_bytes=5 * INFO.payload_bytes), 5),
    ],
)
def test_the_ring_is_bounded_in_seconds_and_bytes(
    make_viewed: Any, options: StreamOptions, frames: int
) -> None:
    viewed = make_viewed(options=options)
    viewed.pipeline.seek(0)
    assert viewed.pipeline.wait_until_full(10.0)
    assert viewed.pipeline.statistics().num_ready == frames


def test_a_file_of_two_frames_is_primed(make_viewed: Any) -> None:
    viewed = make_viewed(duration=Fraction(2, 48))
    viewed.pipeline.seek(0)
    assert viewed.pipeline.wait_primed(10.0)


def test_a_closed_viewing_gives_no_more_bytes(make_viewed: Any) -> None:
    viewed = make_viewed()
    viewed.viewing.close()
    assert not viewed.pipeline.is_running
    assert viewed.read() == b""


def test_a_host_loads_a_model_once_and_warms_every_executor(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    assert host.device is None
    first, second = host.executor("linear", viewing), host.executor("linear", viewing)
    assert host.device == torch.device("cpu")
    assert first is not second
    assert first.model is second.model
    assert held(first) == 0


def test_a_host_forgets_a_model_for_another(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    first = host.executor("linear", viewing).model
    host.executor("copy", viewing)
    assert host.executor("linear", viewing).model is not first


def test_a_host_makes_ready_smaller_scales_of_the_same_network(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("cel", viewing)
    host.add_variants(executor, "cel", viewing)
    assert set(executor.variants) == {Variant(0.5), Variant(0.25)}
    full: Any = executor.model
    executor.choose(Variant(0.25))
    small: Any = executor.model
    assert (small.flow_scale, full.flow_scale) == (0.25, 1.0)
    assert small.net is full.net


def test_a_model_without_scales_has_no_variants(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("linear", viewing)
    host.add_variants(executor, "linear", viewing)
    assert set(executor.variants) == set()


def test_a_lighter_network_is_taken_where_its_weights_are(
    make_viewed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("linear", viewing)
    monkeypatch.setattr(session, "lighter", lambda _: [find("copy"), find("cel")])
    monkeypatch.setattr(session, "is_available", lambda row: row.id == "cel")
    host.add_variants(executor, "linear", viewing)
    lite = Variant(0.5, is_lite=True)
    assert set(executor.variants) == {lite}
    executor.choose(lite)
    chosen: Any = executor.model
    assert (chosen.info.id, chosen.flow_scale) == ("cel", 0.5)


def test_a_host_runs_the_network_in_the_form_that_was_asked_for(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    with pytest.raises(ModelError, match=r'"cel" .* graphs are for CUDA'):
        ModelHost("cpu", StreamOptions(form="graph")).executor("cel", viewing)
    assert held(ModelHost("cpu", StreamOptions(form="eager")).executor("cel", viewing)) == 0


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", ""])
def test_a_device_of_no_known_kind_is_refused_wherever_it_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=r"--device is .*, expected auto, cpu"):
        resolve_device(name)
