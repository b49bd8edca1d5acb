"""Articulated figures: the categories of SynthPose, without a pixel drawn.

A figure is a random skeleton graph grown from a body (a spine, a ring, a fan or a long chain) and
appendages (limbs, tentacles, fans, rings), the parts that are drawn over its links, and the limits
of its joints. Geometry is in figure units: the rest pose is about one unit long, y points down.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

TEXTURES = (
    'plain',
    'bands',
    'stripes',
    'checker',
    'dots',
    'gradient',
    'halves',
    'marble',
    'zigzag',
)
MIN_KEYPOINTS, MAX_KEYPOINTS = 5, 30

# Half-widths along a limb, from its start to its end, relative to its nominal half-width.
_ALONG = np.linspace(0, 1, 9)
_PROFILES = {
    'bar': np.ones(9),
    'taper': 1.25 - 0.7 * _ALONG,
    'flare': 0.55 + 0.7 * _ALONG,
    'muscle': 0.65 + 0.6 * np.sin(np.pi * _ALONG) ** 2,
    'bone': 1.15 - 0.6 * np.sin(np.pi * _ALONG),
    'leaf': 0.3 + 1.0 * np.sin(np.pi * _ALONG**0.8),
    'club': 0.55 + 0.75 * _ALONG**4,
}
_CIRCLE = np.stack([np.cos(np.pi / 4 * np.arange(8)), np.sin(np.pi / 4 * np.arange(8))], 1)


@dataclass(frozen=True)
class Style:
    """The look of a part: a texture in two RGB colours, its period in figure units, an outline."""

    texture: str
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    period: float
    outlined: bool


@dataclass(frozen=True)
class Part:
    """A drawn part and the keypoints it belongs to.

    Attributes:
        kind: 'limb' (between two keypoints), 'patch' (a filled outline through three or more) or
            'spot' (a disc at one).
        keypoints: Indices of its keypoints.
        half_width: Figure units: nine values along a limb, one (the radius) for a spot, else empty.
        style: Its look.
        depth: Parts are drawn in ascending order of depth.
        smooth: Whether a patch's outline is rounded between its keypoints.
    """

    kind: str
    keypoints: tuple[int, ...]
    half_width: np.ndarray
    style: Style
    depth: float
    smooth: bool = False


@dataclass(frozen=True)
class Figure:
    """A category: skeleton, joints and parts.

    Attributes:
        body: What the skeleton was grown from: 'spine', 'ring', 'fan' or 'chain'.
        names: K keypoint names.
        rest: (K, 2) keypoints of the rest pose, centred on the origin.
        parent: (K,) index of the keypoint that each hangs on, -1 for the origin; parent[k] < k.
        joint: (K,) index of the joint that turns each; a ring's keypoints share one.
        limit: (J,) the largest angle of each joint, radians.
        skeleton: Links, 0-based pairs.
        parts: What is drawn, back to front.
    """

    body: str
    names: list[str]
    rest: np.ndarray
    parent: np.ndarray
    joint: np.ndarray
    limit: np.ndarray
    skeleton: list[tuple[int, int]]
    parts: list[Part]

    def pose(self, angles: np.ndarray, stretch: np.ndarray) -> np.ndarray:
        """Turns every joint and returns the keypoints, by forward kinematics.

        Args:
            angles: (J,) angle of each joint, radians.
            stretch: (K,) factor on each keypoint's distance from its parent.

        Returns:
            (K, 2) keypoints in figure units.
        """
        points, heading = np.zeros_like(self.rest), np.zeros(len(self.rest))
        for k, parent in enumerate(self.parent):
            origin, turned, start = (
                (points[parent], heading[parent], self.rest[parent])
                if parent >= 0
                else (np.zeros(2), 0.0, np.zeros(2))
            )
            heading[k] = turned + angles[self.joint[k]]
            points[k] = origin + stretch[k] * rotate(self.rest[k] - start, heading[k])
        return points


def rotate(points: np.ndarray, angle: float) -> np.ndarray:
    """Rotates (…, 2) points about the origin by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])


def outline(part: Part, points: np.ndarray, thickness: float = 1.0) -> np.ndarray:
    """Returns the (V, 2) outline of a part of a posed figure, in the units of `points`.

    Args:
        part: A part of the figure.
        points: (K, 2) keypoints.
        thickness: Factor from the part's half-widths to the units of `points`.
    """
    corners = points[list(part.keypoints)]
    if part.kind == 'patch':
        return _rounded(corners) if part.smooth else corners
    if part.kind == 'spot':
        return corners + thickness * part.half_width * _CIRCLE
    start, end = corners
    along = (end - start) / max(np.hypot(*(end - start)), 1e-9)
    across = np.array([-along[1], along[0]])
    half_width = thickness * part.half_width[::2, None]
    middle = start + _ALONG[::2, None] * (end - start)
    near, far = start - half_width[0] * along, end + half_width[-1] * along
    upper, lower = middle + half_width * across, middle - half_width * across
    return np.concatenate([near[None], upper, far[None], lower[::-1]])


def _rounded(corners: np.ndarray, steps: int = 4) -> np.ndarray:
    """A closed Catmull-Rom curve through the corners."""
    before, after = np.roll(corners, 1, 0), np.roll(corners, -1, 0)
    beyond = np.roll(corners, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curve = corners + 0.5 * t * (
        after - before
        + t * (2 * before - 5 * corners + 4 * after - beyond)
        + t * t * (3 * (corners - after) + beyond - before)
    )  # fmt: skip
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def random_figure(rng: np.random.Generator) -> Figure:
    """Draws a category: a figure of 5 to 30 keypoints, its shapes, colours and joints."""
    return _Grower(rng).grow()


@dataclass
class _Grower:
    """Grows a figure keypoint by keypoint."""

    rng: np.random.Generator
    names: list[str] = field(default_factory=list)
    rest: list[np.ndarray] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    joint: list[int] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    skeleton: list[tuple[int, int]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def grow(self) -> Figure:
        rng = self.rng
        self.palette = _random_palette(rng)
        self.outlined = bool(rng.random() < 0.5)
        self.spot_rate = rng.uniform(0.25, 0.9)
        self.slimness = rng.uniform(0.8, 1.5)
        self.suppleness = rng.uniform(0.8, 1.5)
        target = round(MIN_KEYPOINTS + (MAX_KEYPOINTS - MIN_KEYPOINTS) * rng.beta(1.1, 1.7))

        bodies = {
            'spine': self._spine_body,
            'ring': self._ring_body,
            'fan': self._fan_body,
            'chain': self._chain_body,
        }
        body = str(rng.choice(list(bodies), p=[0.35, 0.33, 0.18, 0.14]))
        anchors = bodies[body](target)
        while len(self.rest) < target:
            self._appendage(anchors, target - len(self.rest), paired=body in ('spine', 'ring'))
        self._spots()

        rest = np.stack(self.rest)
        centre, extent = (rest.max(0) + rest.min(0)) / 2, np.ptp(rest, 0).max()
        parts = [
            Part(p.kind, p.keypoints, p.half_width / extent, p.style, p.depth, p.smooth)
            for p in sorted(self.parts, key=lambda part: part.depth)
        ]
        return Figure(
            body=body,
            names=self.names,
            rest=(rest - centre) / extent,
            parent=np.array(self.parent),
            joint=np.array(self.joint),
            limit=np.array(self.limit),
            skeleton=self.skeleton,
            parts=parts,
        )

    # Bodies: each returns its keypoints that appendages may hang on, with their outward directions.

    def _spine_body(self, target: int) -> dict[int, float]:
        rng = self.rng
        self.upright = bool(rng.random() < 0.5)
        heading = np.pi / 2 if self.upright else 0.0
        count = int(rng.integers(2, min(5, target - 2) + 1))
        spine = [self._keypoint('spine', -0.3 * _unit(heading), -1, self._new_joint(0))]
        spine += self._chain(
            'spine', spine[0], heading, count - 1, 0.6, rng.uniform(0.05, 0.11), 20, bend=0.2
        )
        outward = {k: heading + np.pi / 2 for k in spine}
        outward[spine[0]], outward[spine[-1]] = heading + np.pi, heading
        return outward

    def _ring_body(self, target: int) -> dict[int, float]:
        rng = self.rng
        self.upright = True
        count = int(rng.integers(4, min(10, target) + 1))
        radii = rng.uniform(0.2, 0.36, 2)
        ring = self._ring('rim', -1, np.zeros(2), radii, count, 0, hollow=rng.random() < 0.3)
        return {k: float(np.arctan2(*self.rest[k][::-1])) for k in ring}

    def _fan_body(self, target: int) -> dict[int, float]:
        rng = self.rng
        self.upright = False
        hub = self._keypoint('hub', np.zeros(2), -1, self._new_joint(0))
        segments = int(rng.integers(1, 4)) if target > 8 else 1
        fingers = int(np.clip((target - 1) // segments, 3, rng.integers(4, 8)))
        spread = rng.uniform(0.6, 2.0) * np.pi * (1 - 1 / fingers)
        tips = self._fan(hub, -np.pi / 2, fingers, segments, rng.uniform(0.4, 0.6), spread)
        return {tip: _direction(self.rest[tip]) for tip in tips} | {hub: np.pi / 2}

    def _chain_body(self, target: int) -> dict[int, float]:
        rng = self.rng
        self.upright = False
        heading = rng.uniform(-np.pi, np.pi)
        count = int(rng.integers(min(5, target), min(9, target) + 1))
        chain = [self._keypoint('chain', -0.45 * _unit(heading), -1, self._new_joint(0))]
        chain += self._chain(
            'chain', chain[0], heading, count - 1, 1.0, rng.uniform(0.03, 0.07), 30, bend=0.5
        )
        outward = {k: heading + np.pi / 2 * rng.choice([-1, 1]) for k in chain}
        outward[chain[0]], outward[chain[-1]] = heading + np.pi, heading
        return outward

    # Appendages.

    def _appendage(self, anchors: dict[int, float], room: int, paired: bool) -> None:
        """Adds one appendage, or a mirrored pair, of at most `room` keypoints."""
        rng = self.rng
        length = rng.uniform(0.3, 0.6)
        anchor, heading = self._freest(anchors, length)
        shape = str(rng.choice(['limb', 'limb', 'tentacle', 'fan', 'ring']))
        number = 1 + sum(name.endswith('_1') or name.endswith('_hub') for name in self.names)
        if paired and room >= 2 and rng.random() < 0.65:
            segments = int(rng.integers(1, min(3, room // 2) + 1))
            self._pair(f'limb{number}', anchors, anchor, heading, segments, length)
        elif shape == 'ring' and room >= 4:
            count = int(rng.integers(3, min(7, room - 1) + 1))
            name = f'head{number}'
            radii = rng.uniform(0.1, 0.18, 2)
            (neck,) = self._chain(name, anchor, heading, 1, 0.4 * length, 0.035, 40)
            centre = self.rest[neck] + 0.8 * radii.mean() * _unit(heading)
            ring = self._ring(name, neck, centre, radii, count, 25, hollow=rng.random() < 0.2)
            nearest = min(ring, key=lambda k: float(np.hypot(*(self.rest[k] - self.rest[neck]))))
            self.skeleton.append((neck, nearest))
        elif shape == 'fan' and room >= 4:
            fingers = int(rng.integers(2, min(5, room - 1) + 1))
            segments = 2 if room > 2 * fingers and rng.random() < 0.4 else 1
            (hub,) = self._chain(f'arm{number}', anchor, heading, 1, 0.6 * length, 0.04, 50)
            spread = rng.uniform(0.35, 0.8) * np.pi
            self._fan(hub, heading, fingers, segments, 0.6 * length, spread, f'arm{number}_')
        else:
            most = min(5 if shape == 'tentacle' else 3, room)
            segments = int(rng.integers(min(3 if shape == 'tentacle' else 1, most), most + 1))
            width = rng.uniform(0.02, 0.05)
            bend = 0.6 if shape == 'tentacle' else 0.35
            self._chain(f'limb{number}', anchor, heading, segments, length, width, 55, bend=bend)

    def _pair(
        self,
        name: str,
        anchors: dict[int, float],
        anchor: int,
        heading: float,
        segments: int,
        length: float,
    ) -> None:
        """Adds two limbs of one shape, mirrored or (a spine that lies) one behind the other."""
        rng = self.rng
        if self.upright:
            mirrored = min(
                anchors,
                key=lambda k: float(np.hypot(*(self.rest[k] - self.rest[anchor] * [-1, 1]))),
            )
            other = np.pi - heading
            if abs(np.cos(heading)) < 0.35:  # along the mirror's axis: spread the two apart
                spread = rng.uniform(0.4, 0.8)
                heading, other = heading - spread, heading + spread
        else:
            mirrored, spread = anchor, rng.uniform(0.15, 0.35)
            heading, other = heading - spread, heading + spread
        shape, texture = str(rng.choice(list(_PROFILES))), str(rng.choice(TEXTURES))
        width, depth = rng.uniform(0.025, 0.05), rng.uniform(0.5, 1)
        alike = rng.random() < 0.3
        first, second = self._style(texture), self._style(texture)
        if alike:
            second = Style(texture, _shaded(first.colours, 0.7), first.period, first.outlined)
        for side, (at, direction, style, behind) in enumerate(
            [(anchor, heading, first, 1), (mirrored, other, second, 1 if self.upright else -1)]
        ):
            self._chain(
                f'{("near", "far")[side]}_{name}',
                at,
                direction,
                segments,
                length,
                width,
                55,
                bend=0,
                styles=[style] + [self._style(texture) for _ in range(segments - 1)],
                shape=shape,
                depth=behind * depth,
            )

    # Primitives.

    def _new_joint(self, degrees: float) -> int:
        self.limit.append(float(np.radians(degrees)))
        return len(self.limit) - 1

    def _keypoint(self, name: str, at: np.ndarray, parent: int, joint: int) -> int:
        count = sum(other.rpartition('_')[0] == name for other in self.names)
        self.names.append(f'{name}_{count + 1}')
        self.rest.append(at)
        self.parent.append(parent)
        self.joint.append(joint)
        return len(self.rest) - 1

    def _limb(
        self, start: int, end: int, width: float, shape: str, style: Style, depth: float
    ) -> None:
        width = max(0.014, width * self.slimness)
        self.parts.append(Part('limb', (start, end), width * _PROFILES[shape], style, depth))
        self.skeleton.append((start, end))

    def _chain(
        self,
        name: str,
        anchor: int,
        heading: float,
        segments: int,
        length: float,
        width: float,
        degrees: float,
        bend: float = 0.0,
        styles: Sequence[Style] | None = None,
        shape: str | None = None,
        depth: float | None = None,
    ) -> list[int]:
        """Adds `segments` limbs in a row from an anchor; returns their end keypoints."""
        rng = self.rng
        shape = shape or str(rng.choice(list(_PROFILES)))
        depth = rng.uniform(-1, 1) if depth is None else depth
        share = rng.uniform(0.75, 1.25, segments)
        lengths = length * share / share.sum()
        chain, turn = [], rng.uniform(-bend, bend)
        for step in range(segments):
            previous = chain[-1] if chain else anchor
            at = self.rest[previous] + lengths[step] * _unit(heading + step * turn)
            limit = degrees * self.suppleness * rng.uniform(0.6, 1.2)
            k = self._keypoint(name, at, previous, self._new_joint(limit))
            style = styles[step] if styles else self._style()
            slim = width * (1 - 0.25 * step / max(segments - 1, 1))
            self._limb(previous, k, slim, shape, style, depth + 0.01 * step)
            chain.append(k)
        return chain

    def _fan(
        self,
        hub: int,
        heading: float,
        fingers: int,
        segments: int,
        length: float,
        spread: float,
        prefix: str = '',
    ) -> list[int]:
        """Adds fingers from a hub, webbed or not; returns their tips."""
        rng = self.rng
        directions = heading + np.linspace(-0.5, 0.5, fingers) * spread
        webbed, shape, tips = rng.random() < 0.4, str(rng.choice(list(_PROFILES))), []
        width, depth = rng.uniform(0.02, 0.045), rng.uniform(-0.5, 1)
        for number, direction in enumerate(directions):
            reach = length * rng.uniform(0.75, 1.1)
            name = f'{prefix}finger{number + 1}'
            tips.append(
                self._chain(
                    name, hub, direction, segments, reach, width, 22, shape=shape, depth=depth
                )[-1]
            )
        if webbed and spread < 1.2 * np.pi:
            web = (hub, *tips)
            self.parts.append(Part('patch', web, np.empty(0), self._style(), depth - 0.02))
        return tips

    def _ring(
        self,
        name: str,
        anchor: int,
        centre: np.ndarray,
        radii: np.ndarray,
        count: int,
        degrees: float,
        hollow: bool,
    ) -> list[int]:
        """Adds a closed ring of keypoints, mirrored in the vertical: a filled patch or a band."""
        rng = self.rng
        angles = -np.pi / 2 + 2 * np.pi * np.arange(count) / count
        bulge = rng.uniform(0.75, 1.2, count)
        bulge = (bulge + np.roll(bulge[::-1], 1)) / 2
        joint = self._new_joint(degrees)
        ring = [
            self._keypoint(name, centre + b * radii * _unit(angle), anchor, joint)
            for angle, b in zip(angles, bulge, strict=True)
        ]
        edges = list(zip(ring, ring[1:] + ring[:1], strict=True))
        if hollow:
            width, shape = rng.uniform(0.02, 0.035), str(rng.choice(list(_PROFILES)))
            for start, end in edges:
                self._limb(start, end, width, shape, self._style(), 0.0)
        else:
            smooth = bool(rng.random() < 0.6)
            self.parts.append(Part('patch', tuple(ring), np.empty(0), self._style(), 0.0, smooth))
            self.skeleton.extend(edges)
        return ring

    def _spots(self) -> None:
        """Marks some keypoints, and most of those that a filled ring leaves featureless."""
        rng = self.rng
        on_limb = {k for part in self.parts if part.kind == 'limb' for k in part.keypoints}
        for k in range(len(self.rest)):
            if rng.random() < (self.spot_rate if k in on_limb else 0.5 + self.spot_rate / 2):
                depth = max(part.depth for part in self.parts if k in part.keypoints)
                radius = np.array([rng.uniform(0.022, 0.05)])
                style = self._style(str(rng.choice(['plain', 'halves', 'gradient', 'checker'])))
                self.parts.append(Part('spot', (k,), radius, style, depth + 0.005))

    def _style(self, texture: str | None = None) -> Style:
        rng = self.rng
        texture = texture or str(rng.choice(TEXTURES))
        first, second = rng.choice(len(self.palette), 2, replace=False)
        return Style(
            texture,
            (self.palette[first], self.palette[second]),
            float(rng.uniform(0.03, 0.08)),
            self.outlined,
        )

    def _freest(self, anchors: dict[int, float], length: float) -> tuple[int, float]:
        """Picks, of several anchors and outward directions, those with most room around."""
        rng, best, room = self.rng, None, -1.0
        points = np.stack(self.rest)
        for _ in range(12):
            anchor = int(rng.choice(list(anchors)))
            heading = anchors[anchor] + rng.uniform(-1.0, 1.0)
            along = self.rest[anchor] + np.outer([0.5, 1.0], length * _unit(heading))
            others = np.delete(points, anchor, 0)
            clearance = np.hypot(*(along[:, None] - others).transpose(2, 0, 1)).min()
            if clearance > room:
                best, room = (anchor, float(heading)), clearance
        return best


def _unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _direction(point: np.ndarray) -> float:
    return float(np.arctan2(point[1], point[0]))


def _shaded(
    colours: Sequence[tuple[float, float, float]], factor: float
) -> tuple[tuple[float, float, float], ...]:
    return tuple(tuple(factor * value for value in colour) for colour in colours)


def _random_palette(rng: np.random.Generator, count: int = 7) -> list[tuple[float, float, float]]:
    """A category's colours: from the whole colour circle or, for a quarter, from a sector."""
    spread = 1.0 if rng.random() < 0.75 else 0.3
    hues = rng.random() + spread * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    saturations, values = rng.uniform(0.4, 1.0, count), rng.uniform(0.4, 1.0, count)
    if rng.random() < 0.5:
        saturations[0], values[0] = 0.05, rng.choice([0.1, 0.97])
    return [
        tuple(255 * channel for channel in colorsys.hsv_to_rgb(h % 1, s, v))
        for h, s, v in zip(hues, saturations, values, strict=True)
    ]
