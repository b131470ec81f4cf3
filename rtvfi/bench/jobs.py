"""The measurements, their order and their results. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

from rtvfi.core.options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtvfi.core.files import Json
    from rtvfi.core.options import Form

FILM_RATE: Final = 24
TARGETS: Final = {48: 1, 60: 2, 120: 4}
"""Target rate -> new pictures per pair of frames, for a film at FILM_RATE."""
CORE_TARGETS: Final = (48, 60)
"""Target rates for which the needed number of cores is estimated."""
HOPELESS: Final = 2.5
"""Seconds of computing per second of film above which larger flow scales are not measured."""


@dataclass(frozen=True, slots=True)
class Size:
    """A picture's size."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Number of pixels of a picture."""
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse ``1920x1080``, or ``1080p`` for 16:9.

        Raises:
            ValueError: it has another form, or a side is not 16 to 8192.
        """
        word = text.strip().lower()
        if word.endswith("p") and word[:-1].isdigit():
            height = int(word[:-1])
            width = 854 if height == 480 else round(height * 16 / 9 / 2) * 2
        else:
            width, height = map(int, word.split("x"))
        if not (16 <= width <= 8192 and 16 <= height <= 8192):
            raise ValueError(text)
        return cls(width, height)


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement."""

    kind: Literal["model", "media"]
    size: Size
    model: str = ""
    flow_scale: float = 1.0
    form: Form = "auto"
    threads: int = 0
    """Number of threads for a model without torch; 0 = as many as play uses."""

    def as_dict(self) -> dict[str, object]:
        """The job in a form for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, row: Json) -> Self:
        """The job from its JSON form."""
        return cls(**{**row, "size": Size(**row["size"])})


@dataclass(kw_only=True, slots=True)
class Measured:
    """The result of a job."""

    job: Job
    ms: dict[int, float] = field(default_factory=dict)
    """Number of new pictures -> median milliseconds per pair of film frames, without the time spent
    waiting for a core.
    """
    cpu_ms: dict[int, float] = field(default_factory=dict)
    """The same as CPU time of all cores."""
    waited_ms: dict[int, float] = field(default_factory=dict)
    """The time spent waiting for a core that other programs used."""
    memory_bytes: int | None = None
    """Peak memory use of the process or of the GPU."""
    decode_rate: float | None = None
    """Frames per second."""
    decoder: str = ""
    encode_rate: float | None = None
    """Frames per second."""
    encoder: str = ""
    why_not: str = ""
    """Why there are no numbers."""

    def share(self, target: int) -> float | None:
        """Seconds of computing per second of film that is interpolated to the rate ``target``."""
        ms = self.ms.get(TARGETS[target])
        return None if ms is None else ms * FILM_RATE / 1000

    def as_dict(self) -> dict[str, object]:
        """The result in a form for JSON, with the shares."""
        shares = {str(t): round(s, 3) for t in TARGETS if (s := self.share(t)) is not None}
        return {**self.job.as_dict(), "size": str(self.job.size), **self.found, "share": shares}

    @property
    def found(self) -> dict[str, object]:
        """All fields except the job, in a form for JSON."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "job"}

    @classmethod
    def of(cls, job: Job, found: Json) -> Self:
        """The result from its JSON form, in which keys are strings."""
        by_count = {
            name: {int(num_new): ms for num_new, ms in found[name].items()}
            for name in ("ms", "cpu_ms", "waited_ms")
        }
        return cls(job=job, **{**found, **by_count})


def plan(
    models: Sequence[str],
    sizes: Sequence[Size],
    scales: Sequence[float],
    threads: Sequence[int] = (),
) -> list[Job]:
    """The jobs, most important first, because time may run out.

    Args:
        models: the first is measured at every flow scale, the others at the scale of ``auto``.
        sizes: picture sizes.
        scales: flow scales.
        threads: additional numbers of threads to measure the first model with.
    """
    first, *others = models
    ordered = sorted(sizes, key=lambda size: size.pixels)
    jobs = []
    for size in ordered:
        jobs += [Job("model", size, first, scale) for scale in sorted(scales)]
        jobs.append(Job("media", size))
    jobs += [
        Job("model", size, first, scale, threads=count)
        for size in ordered
        for scale in sorted(scales)
        for count in threads
    ]
    scale_of = StreamOptions().flow_scale_of
    return jobs + [
        Job("model", size, model, scale_of(size.width, size.height))
        for model in others
        for size in ordered
    ]


def is_hopeless(job: Job, done: Iterable[Measured]) -> bool:
    """Whether a cheaper job of the same model and size was already far too slow."""
    return any(
        (share := measured.share(48)) is not None
        and share > HOPELESS
        and (measured.job.model, measured.job.size) == (job.model, job.size)
        and (measured.job.threads or job.threads) == job.threads
        and measured.job.flow_scale < job.flow_scale
        for measured in done
    )
