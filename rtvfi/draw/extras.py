"""Optional additions to the scenes of ``scenes``: figures, particles, fades, zooms and others.

Extras use their own random generator, so that scenes without extras do not change.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from rtvfi.draw.layers import Layer
from rtvfi.draw.sprites import particles, segment

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from rtvfi.draw.dice import Dice
    from rtvfi.draw.options import SceneOptions

SIDE = 128
ROOT = -0.8
"""Position of the joint in a limb's texture, in half sides right of the centre; the limb's other
end is at -ROOT.
"""


class Props(NamedTuple):
    """Textures of the extras, drawn only for recipes that use them."""

    segments: Tensor
    """(n, 4, SIDE, SIDE): limbs from ROOT to -ROOT along x."""
    strands: Tensor
    """The same for hair and tails, thin and curved."""
    sheets: Tensor
    """(n, 4, 384, 384): scattered particles."""


def make_props(g: Generator) -> Props:
    """Draw the textures of the extras."""

    def drawn(is_thin: bool) -> Tensor:
        return F.avg_pool2d(torch.stack([segment(g, 2 * SIDE, is_thin) for _ in range(24)]), 2)

    return Props(drawn(False), drawn(True), torch.stack([particles(g, 384) for _ in range(12)]))


class Extras:
    """Adds the extras chosen in the options to composed scenes."""

    def __init__(self, options: SceneOptions, dice: Dice, props: Props) -> None:
        self.options = options
        self.dice = dice
        self.props = props

    def add(self, layers: list[Layer], textures: list[Tensor]) -> None:
        """Add limbs and particles to the layers, and change the layers' motion."""
        n = len(layers[0].x)
        if self.dice.happens(self.options.figures):
            self._figure(n, layers, textures)
        if self.dice.happens(self.options.particles):
            self._particles(n, layers, textures)
        if self.options.sweeps:
            self._sweep(n, layers)
        if self.options.zooms:
            self._zoom(n, layers)
        if self.options.easing:
            for k in range(1, len(layers)):
                chosen = self.dice.sometimes(n, self.options.easing)
                layers[k] = layers[k]._replace(pace=self.dice.within(n, -0.9, 0.9) * chosen)
        if self.options.camera_easing:
            chosen = self.dice.sometimes(n, self.options.camera_easing)
            layers[0] = layers[0]._replace(pace=self.dice.within(n, -0.9, 0.9) * chosen)
        if self.options.fades:
            self._dissolve(n, layers)

    def _figure(self, n: int, layers: list[Layer], textures: list[Tensor]) -> None:
        """Add arms and legs of two segments and strands of hair to a gliding body.

        The last cel of the scene becomes the body; limbs are randomly in front of or behind it.
        """
        within, dice = self.dice.within, self.dice
        body = layers[-1]._replace(roll=torch.zeros(n), zoom=torch.zeros(n), bend=torch.zeros(n))
        place = len(layers) - 1
        layers[place] = body
        zero = torch.zeros(n)
        for limb in range(2 + int(dice.pick(1, 3))):
            is_strand = limb > 0 and dice.happens(0.4)
            bank = self.props.strands if is_strand else self.props.segments
            angle, swing = within(n, 0, 2 * math.pi), dice.wobble(n, 0.5, 0.85)
            side, reach = within(n, 0, 2 * math.pi), 0.35 * body.scale
            upper = Layer(
                body.x + reach * torch.cos(side), body.y + reach * torch.sin(side),
                body.scale * within(n, 0.4, 0.8), angle, body.dx, body.dy, zero, swing,
                dice.wobble(n, 0.08, 0.5), within(n, 1.5, 3), within(n, 0, 2 * math.pi),
                pivot=torch.full((n,), ROOT),
            )  # fmt: skip
            parts = [upper]
            if not is_strand:
                bent, more = within(n, -1.2, 1.2), dice.wobble(n, 0.5, 0.7)
                parts.append(
                    upper._replace(
                        scale=upper.scale * within(n, 0.7, 1.0), angle=angle + bent,
                        roll=swing + more, bend=zero,
                        arm=-2 * ROOT * upper.scale, arm_angle=angle, arm_roll=swing,
                    )
                )  # fmt: skip
                # do not bend the upper segment, or the lower one would come off its joint
                parts[0] = upper._replace(bend=zero)
            # insert the limb in front of the body or behind it
            at = place if dice.happens(0.5) else len(layers)
            place += len(parts) * (at == place)
            layers[at:at] = parts
            textures[at:at] = [bank[dice.pick(n, len(bank))] for _ in parts]

    def _particles(self, n: int, layers: list[Layer], textures: list[Tensor]) -> None:
        """One to three sheets of snow, rain, sparks or dust, each at its own speed."""
        within, size = self.dice.within, float(self.options.size)
        direction = within(n, 0, 2 * math.pi)
        fastest = torch.tensor(min(40.0, self.options.fastest))
        for _ in range(1 + int(self.dice.pick(1, 3))):
            speed = torch.exp(self.dice.rand(n) * torch.log(fastest))
            angle = direction + within(n, -0.3, 0.3)
            zero = torch.zeros(n)
            layers.append(
                Layer(
                    within(n, 0.3, 0.7) * size, within(n, 0.3, 0.7) * size,
                    size * within(n, 0.7, 1.0), within(n, 0, 2 * math.pi),
                    speed * torch.cos(angle), speed * torch.sin(angle),
                    zero, self.dice.wobble(n, 0.05, 0.3),
                    self.dice.wobble(n, 0.03, 0.5), within(n, 1, 4), zero,
                )
            )  # fmt: skip
            textures.append(self.props.sheets[self.dice.pick(n, len(self.props.sheets))])

    def _sweep(self, n: int, layers: list[Layer]) -> None:
        """Add a fast camera motion to all layers, faster for near ones."""
        chosen = self.dice.sometimes(n, self.options.sweeps)
        speed = self.options.fastest * self.dice.within(n, 0.5, 1.0) * chosen
        angle = torch.round(self.dice.within(n, 0, 8)) * (math.pi / 4)
        for k, layer in enumerate(layers):
            near = speed * (0.7 + 0.3 * k / len(layers))
            layers[k] = layer._replace(
                dx=layer.dx + near * torch.cos(angle), dy=layer.dy + near * torch.sin(angle)
            )

    def _zoom(self, n: int, layers: list[Layer]) -> None:
        """Zoom the camera in or out around one point, faster for near layers."""
        size = float(self.options.size)
        chosen = self.dice.sometimes(n, self.options.zooms)
        growth = self.dice.within(n, -0.4, 0.4) * chosen
        x, y = (self.dice.within(n, 0.3, 0.7) * size for _ in range(2))
        for k, layer in enumerate(layers):
            near = growth * (0.6 + 0.9 * k / len(layers))
            layers[k] = layer._replace(
                zoom=(layer.zoom + near).clamp(-1, 1),
                dx=layer.dx + near * (layer.x - x),
                dy=layer.dy + near * (layer.y - y),
            )

    def _dissolve(self, n: int, layers: list[Layer]) -> None:
        """Let one layer above the background appear or vanish."""
        chosen = self.dice.sometimes(n, self.options.fades)
        k = 1 + int(self.dice.pick(1, len(layers) - 1))
        layers[k] = layers[k]._replace(fade=self.dice.within(n, -1, 1) * chosen)

    def fade(self, pictures: list[Tensor], moments: list[Tensor]) -> list[Tensor]:
        """Fade whole pictures to or from one colour.

        Args:
            pictures: each (N, 3, S, S).
            moments: the time of each picture, (N,).
        """
        n = len(moments[0])
        chosen = self.dice.sometimes(n, self.options.fades)
        # between two frames a fade advances only by a part
        start = self.dice.within(n, 0, 0.9)
        end = (start + self.dice.within(n, -0.3, 0.3)).clamp(0, 1) * chosen
        start = start * chosen
        colour = self.dice.sometimes(n, 0.3).view(n, 1, 1, 1)
        return [
            torch.lerp(
                picture, colour.expand_as(picture), (start + (end - start) * t).view(n, 1, 1, 1)
            )
            for picture, t in zip(pictures, moments, strict=True)
        ]

    def coarseness(self, n: int) -> Tensor:
        """(N,): quantisation step of the compression, 0 = no compression."""
        chosen = self.dice.sometimes(n, self.options.compression)
        return 0.01 * 10 ** self.dice.rand(n) * chosen
