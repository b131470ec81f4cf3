"""The scheduler: takes frame stamps, returns actions. No pixels, no clock, only exact times.

A *scene* is a run of frames without a cut inside. Its *knots* are pictures at known times: the
source frames, or after L midpoint passes

    B_0(a), B_1(a), .. B_L(a), B_L(a+1), .. B_L(b-L), B_L-1(b-L+1), .. B_1(b-1), B_0(b)

for frames a..b, with B_k(i) the network's midpoint of B_k-1(i) and B_k-1(i+1) at the mean of their
times, and L limited to b - a. Passes spread a held drawing over its neighbours (equal weights of a
binomial row), the two ramps keep the scene's first and last frame where they are; nothing lags.

An output of the grid is a copy when its time is that of a knot, else a network call between the two
knots around it; after the last knot the scene holds. A cut belongs to the right frame: every output
at or after its pts belongs to the new scene, and no output mixes two scenes.

An output is planned as soon as the frames read so far decide it. At a constant rate that is, with L
passes, at most (L + 1) // 2 + 1 frames after the frame it follows (the lookahead); with three
pictures a call, L // 2 + 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.options import MAX_PASSES
from rtvfi.core.stamp import ImageId, Stamp
from rtvfi.stream.plan.knots import LONGEST_RUN, Knot, Scene

if TYPE_CHECKING:
    from rtvfi.core.rates import Grid

_ZERO: Final = Fraction(0)
_HALF: Final = Fraction(1, 2)
GAP: Final = Fraction(3, 2)
"""An interval longer than this many nominal periods counts as having missing frames."""
_LONG_GAP: Final = 6
"""An interval longer than this many nominal periods ends the scene; a shorter one is a hold."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Show a picture that exists already."""

    index: int
    """Index on the output grid."""
    pts: Fraction
    image: ImageId


@dataclass(frozen=True, slots=True)
class Mid:
    """Make ``image``, the picture half-way from ``left`` to ``right``; nothing is shown."""

    image: ImageId
    left: ImageId
    right: ImageId


@dataclass(frozen=True, slots=True)
class Retime:
    """Show the picture at ``t`` between two pictures, 0 < t < 1, 0 = left."""

    index: int
    pts: Fraction
    left: ImageId
    right: ImageId
    t: Fraction


@dataclass(frozen=True, slots=True)
class Retime3:
    """Show the picture at ``t`` among three evenly spaced ones, 1/2 <= t < 3/2, 1 = centre."""

    index: int
    pts: Fraction
    left: ImageId
    centre: ImageId
    right: ImageId
    t: Fraction


@dataclass(frozen=True, slots=True)
class Again:
    """Repeat the previous output."""

    index: int
    pts: Fraction


Fresh = Copy | Retime | Retime3
Output = Fresh | Again
Action = Output | Mid


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanOptions:
    """How a scene is scheduled; the times of outputs never depend on these options."""

    passes: int = 0
    """Midpoint passes L: 0 keeps the drawings' timing, C - 1 evens out drawings held C frames."""
    num_frames: Literal[2, 3] = 2
    """Pictures a retime looks at; 3 falls back to 2 beside cuts and where spacing is uneven."""
    tail: Literal["hold", "stretch"] = "hold"
    """After a scene's last knot: hold it, or (with passes) slow the ramp down to end with it."""
    snap: Fraction = _ZERO
    """An output this close to a knot, as a fraction of the distance between knots, copies it; below
    1/2.
    """
    thin: bool = False
    """A run of equal frames has one knot, at its centre, instead of one per frame: drawings move
    evenly however long each is held, without passes.
    """
    beat: Fraction | None = None
    """Seconds between new pictures, counted from the grid's start; outputs in between repeat them.
    None = every output may be a new picture.
    """

    def __post_init__(self) -> None:
        if not 0 <= self.passes <= MAX_PASSES:
            raise ValueError(f"passes must be 0 to {MAX_PASSES}, got {self.passes}")
        if not 0 <= self.snap < _HALF or (self.beat or 1) <= 0:
            raise ValueError(f"snap must be below a half and beat above 0: {self}")
        if self.thin and (self.passes or self.num_frames == 3):
            raise ValueError("thin goes with no passes and two pictures a call")

    @property
    def preroll(self) -> int:
        """How many source frames before a seek's target are read, too, so that its first output is
        the same as when playing from the start (unless ``beat`` is set): the earlier frames that
        an output depends on. The later ones, the lookahead, do not count.
        """
        if self.thin:
            return 2 * LONGEST_RUN - 1
        return (self.passes + 1) // 2 + (self.num_frames == 3)


class Planner:
    """The scheduler of one stream. Outputs come in grid order, each index exactly once."""

    def __init__(
        self, grid: Grid, options: PlanOptions | None = None, period: Fraction | None = None
    ) -> None:
        """Start at grid index 0.

        Args:
            grid: the output clock.
            options: how scenes are scheduled.
            period: nominal seconds per source frame. An interval above 1.5 periods is a gap: its
                left frame is held until one period before the right one. Above 6 periods the
                right frame starts a scene. None = every interval is motion.
        """
        self._grid = grid
        self._options = options or PlanOptions()
        self._period = period
        self.reset(0)

    @property
    def options(self) -> PlanOptions:
        """The current options."""
        return self._options

    @property
    def next_index(self) -> int:
        """Grid index of the next output."""
        return self._next

    def reset(self, next_index: int) -> None:
        """Forget everything: the next frame starts a scene, the next output is ``next_index``.

        Outputs before the first frame's pts will be copies of it, so that no index is missing.
        """
        self._next, self._num_frames = next_index, 0
        self._scene: Scene | None = None
        self._newest: ImageId | None = None

    def adjust(self, options: PlanOptions) -> None:
        """Change the options from the next frame on, even inside a scene.

        With fewer passes, those given up end with part of the ramp that ends a scene; with more,
        the new ones begin with part of the ramp that starts a scene. So content time neither jumps
        nor stops.
        """
        before, self._options = self._options, options
        scene = self._scene
        if scene is None or options == before:
            return
        if options.thin and not before.thin:
            scene.begin_thin()
        scene.lower(options.passes)
        if before.thin and not options.thin:
            scene.end_thin(options.passes)
        if options.num_frames > before.num_frames:
            scene.before = None  # its picture was not kept

    def push(self, stamp: Stamp) -> list[Action]:
        """Take the next frame.

        Returns:
            The actions that this frame decides, in the order to carry them out.

        Raises:
            ValueError: its pts is not after the last one's.
        """
        actions: list[Action] = []
        image = (stamp.same and self._newest) or (0, stamp.index)
        scene = self._scene
        if scene is not None:
            if stamp.pts <= scene.last.pts:
                raise ValueError(f"frame {stamp.index} at {stamp.pts} follows {scene.last.pts}")
            if stamp.cut or self._is_break(stamp.pts - scene.last.pts):
                self._close(scene, stamp.pts, actions)
                scene = None
            else:
                self._fill_gap(scene, stamp.pts, actions)
        if scene is None:
            self._open(stamp, image)
        else:
            self._extend(scene, stamp, image, actions)
        self._newest = image
        self._emit(actions)
        return actions

    def flush(self, end: Fraction | None = None) -> list[Action]:
        """End the stream at ``end``; flushing twice is fine.

        Args:
            end: seconds; by default, or if it is not after the last frame's pts, that frame's end.
        """
        actions: list[Action] = []
        scene, self._scene, self._newest = self._scene, None, None
        if scene is not None:
            if end is None or end <= scene.last.pts:
                end = scene.last.end
            self._close(scene, end, actions)
        return actions

    def needed(self) -> frozenset[ImageId]:
        """Pictures that later actions may use; others can be freed once the actions are done."""
        scene = self._scene
        if scene is None:
            return frozenset()
        knots = [*scene.edge, *scene.knots]
        if self._options.num_frames == 3 and scene.before is not None:
            knots.append(scene.before)
        return frozenset(knot.image for knot in knots)

    # Frames to knots.

    def _is_break(self, interval: Fraction) -> bool:
        return self._period is not None and interval > _LONG_GAP * self._period

    def _fill_gap(self, scene: Scene, pts: Fraction, actions: list[Action]) -> None:
        """Repeat the last frame where frames are missing, so that it is held, also for passes."""
        period = self._period
        if period is None or pts - scene.last.pts <= GAP * period:
            return
        image = scene.edge[0].image
        missing = round((pts - scene.last.pts) / period) - 1
        for k in range(missing, 0, -1):
            at = pts - k * period
            self._extend(scene, Stamp(scene.last.index, at, at + period), image, actions)
            self._emit(actions)

    def _open(self, stamp: Stamp, image: ImageId) -> None:
        self._scene = Scene(stamp, image)
        self._num_frames += 1

    def _extend(self, scene: Scene, stamp: Stamp, image: ImageId, actions: list[Action]) -> None:
        """Replace the edge by the newest frame's and append its top as the next knot."""
        self._num_frames += 1
        scene.note(stamp.pts, image, thin=self._options.thin)
        edge = [Knot(stamp.pts, image)]
        for level, left in enumerate(scene.edge[: self._options.passes], start=1):
            right = edge[-1]
            made = left.image
            if left.image != right.image:
                made = (level, self._num_frames - 1 - level)
                actions.append(Mid(made, left.image, right.image))
            edge.append(Knot((left.pts + right.pts) / 2, made))
        scene.edge, scene.last = edge, stamp
        if not self._options.thin:
            scene.knots.append(edge[-1])

    def _close(self, scene: Scene, end: Fraction, actions: list[Action]) -> None:
        """Append the right ramp and plan all outputs before ``end``."""
        slope = self._slope(scene, end)
        top = scene.edge[-1].pts
        scene.end(thin=self._options.thin)
        while (pts := self._grid.pts(self._next)) < end:
            content = self._content(scene, pts)
            if slope is not None and content > top:
                content = top + (content - top) * slope
            scene.advance(content)
            actions.append(self._output(scene, pts, content))
            self._next += 1

    def _slope(self, scene: Scene, end: Fraction) -> Fraction | None:
        """Speed of a stretched tail: with it the scene's last output is its last frame.

        A steady grid's last output counts as one step before the end, wherever the cut meets it.
        """
        if self._options.tail != "stretch" or len(scene.edge) < 2:
            return None
        top, bottom = scene.edge[-1].pts, scene.edge[0].pts
        grid = self._grid
        last = end - grid.step if grid.is_steady else grid.pts(grid.first_at_or_after(end) - 1)
        if last <= bottom:
            return None
        return (bottom - top) / (last - top)

    # Knots to outputs.

    def _emit(self, actions: list[Action]) -> None:
        """Plan the outputs of the open scene that do not depend on later frames."""
        scene = self._scene
        if scene is None:
            return
        last = scene.last
        while True:
            pts = self._grid.pts(self._next)
            content = self._content(scene, pts)
            scene.advance(content)
            if content > scene.knots[-1].pts or (pts > last.pts and pts >= last.end):
                return
            if self._wants_third(scene, content):
                return
            actions.append(self._output(scene, pts, content))
            self._next += 1

    def _content(self, scene: Scene, pts: Fraction) -> Fraction:
        """The moment of the story to be shown at ``pts``."""
        beat, start = self._options.beat, self._grid.origin
        if beat is not None:
            pts = start + (pts - start) // beat * beat
        # When a beat has just been chosen, its time may be before the content shown already.
        return max(pts, scene.knots[0].pts, scene.shown or scene.start)

    def _wants_third(self, scene: Scene, content: Fraction) -> bool:
        """Whether a three-frame call must wait for the knot right of its centre."""
        if self._options.num_frames == 2 or len(scene.knots) != 2:
            return False
        left, right = scene.knots
        return left.image != right.image and 2 * content >= left.pts + right.pts

    def _output(self, scene: Scene, pts: Fraction, content: Fraction) -> Output:
        """The output at ``content``, which is at or after the first knot in use."""
        index, knots = self._next, scene.knots
        if self._options.beat is not None and content == scene.shown:
            return Again(index, pts)
        scene.shown = content
        left = knots[0]
        if content == left.pts or len(knots) == 1 or left.image == knots[1].image:
            return Copy(index, pts, left.image)
        right = knots[1]
        t = (content - left.pts) / (right.pts - left.pts)
        snap = self._options.snap
        if snap and not snap < t < 1 - snap:
            return Copy(index, pts, (left if t < _HALF else right).image)
        if self._options.num_frames == 3:
            third = knots[2] if len(knots) > 2 else None
            a, b, c = (scene.before, left, right) if t < _HALF else (left, right, third)
            if a is not None and c is not None and c.pts - b.pts == b.pts - a.pts:
                t3 = 1 + t if t < _HALF else t
                return Retime3(index, pts, a.image, b.image, c.image, t3)
        return Retime(index, pts, left.image, right.image, t)
