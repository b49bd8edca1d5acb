"""Points of a body: joints of its bones, brought to its skin, and the extremities of its parts.

A point is found once, in the bind pose, and is then moved as the skin there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .zero_ad_files import NO_BONE, Mesh, skin

SIDES = ('left', 'right')
Place = tuple[float, ...]
"""A place in a mesh's bind pose, turned to face z, read off pictures of it: (y, z) is the skin
there, on both sides or on the middle plane; (x, y, z) is the nearest vertex, and its like on the
right."""


@dataclass
class Point:
    """A point (3,) of the bind pose, and the bones (12,) that move it with weights (12,)."""

    at: np.ndarray
    bones: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Animal:
    """A mesh, its bones, and how its keypoints are found.

    Attributes:
        mesh: its file in art/meshes/skeletal, without the ending.
        skeleton: the file of its bones' names, or the names where the package has none.
        front, hind: bones that tell where it faces; '' for a mesh that faces z in all poses.
        find: of its body in the bind pose, the keypoints by name.
    """

    mesh: str
    skeleton: str | tuple[str, ...]
    front: str
    hind: str
    find: Callable[[Body], dict[str, Point | None]]


@dataclass(frozen=True)
class Kind:
    """A category's animals.

    Attributes:
        keypoints: those that they may have.
        paths: keypoints that are linked one after the other; a name without its side stands for
            both.
    """

    name: str
    kind: str
    keypoints: list[str]
    paths: list[tuple[str, ...]]
    animals: list[Animal]


def both_sides(names: Sequence[str]) -> list[str]:
    """Each name for left and right."""
    return [f'{side} {name}' for name in names for side in SIDES]


def links(paths: Sequence[Sequence[str]], keypoints: Sequence[str]) -> list[tuple[int, int]]:
    """The links along paths, which pass over what is not of the keypoints.

    Args:
        paths: of names, one without its side standing for both.
        keypoints: the names that a link's numbers count.
    """
    result = []
    for path in paths:
        for side in SIDES:
            names = [name if name in keypoints else f'{side} {name}' for name in path]
            numbers = [keypoints.index(name) for name in names if name in keypoints]
            result += pairwise(numbers)
    return list(dict.fromkeys(result))


def place(points: Sequence[Point | None], mesh: Mesh, states: np.ndarray | None) -> np.ndarray:
    """The points of the bind pose in another one, (K, 3); NaN for None."""
    result = np.full((len(points), 3), np.nan)
    known = [i for i, point in enumerate(points) if point is not None]
    if known:
        at, bones, weights = (
            np.array([getattr(points[i], part) for i in known])
            for part in ('at', 'bones', 'weights')
        )
        moved = Mesh(at, at, at[:, :2], mesh.faces, bones, weights, mesh.bind, {})
        result[known] = skin(moved, states)[0]
    return result


class Body:
    """A mesh of which points are asked for.

    Args:
        mesh: in its bind pose.
        names: of its bones, in their order.
    """

    def __init__(self, mesh: Mesh, names: Sequence[str]) -> None:
        self.mesh = mesh
        self.number = {name: i for i, name in enumerate(names[: len(mesh.bind)])}
        # Bones that a model lacks lie at its origin, untouched.
        untouched = np.isclose(mesh.bind, np.eye(4)).all((1, 2)) & (np.arange(len(mesh.bind)) > 0)
        held = mesh.bones != NO_BONE
        weights = mesh.weights * held
        self.main = np.where(
            held.any(1), mesh.bones[np.arange(len(weights)), weights.argmax(1)], NO_BONE
        )
        used = np.unique(mesh.bones[held & (mesh.weights > 0)])
        self.lacking = set(np.flatnonzero(untouched)) - set(used.tolist())
        self.corners = mesh.vertices[mesh.faces]
        self.size = float(np.ptp(mesh.vertices, axis=0).max())

    def joint(self, bone: str) -> np.ndarray | None:
        """Where a bone begins, (3,), or the middle of two ('one|two'); None for one it lacks."""
        if '|' in bone:
            ends = [self.joint(one) for one in bone.split('|')]
            return None if any(end is None for end in ends) else np.mean(ends, axis=0)
        number = self.number.get(bone)
        return None if number is None or number in self.lacking else self.mesh.bind[number, :3, 3]

    def follow(self, bone: str) -> Point | None:
        """The joint where a bone begins, inside the body."""
        at = self.joint(bone)
        return None if at is None or bone not in self.number else self.carried(bone, at)

    def carried(self, bone: str, at: Sequence[float]) -> Point:
        """A point (3,) that a bone alone moves."""
        bones = np.full(12, NO_BONE)
        bones[0] = self.number[bone]
        return Point(np.array(at, float), bones, np.eye(12)[0])

    def on_skin(self, at: np.ndarray) -> Point:
        """A point (3,) that moves as the skin there does, by barycentric weights of its triangle.

        One that is off the skin moves as the nearest vertex does.
        """
        a, b, c = self.corners.swapaxes(0, 1)
        one, two, to = b - a, c - a, at - a
        products = [(x * y).sum(1) for x, y in ((one, one), (one, two), (two, two))]
        right = (to * one).sum(1), (to * two).sum(1)
        with np.errstate(all='ignore'):  # triangles without an area
            determinant = products[0] * products[2] - products[1] ** 2
            v = (products[2] * right[0] - products[1] * right[1]) / determinant
            w = (products[0] * right[1] - products[1] * right[0]) / determinant
            shares = np.clip(np.stack([1 - v - w, v, w], 1), 0, None)
            shares /= shares.sum(1, keepdims=True)
        distance = ((np.einsum('fk,fkd->fd', shares, self.corners) - at) ** 2).sum(1)
        nearest = np.nan_to_num(distance, nan=np.inf).argmin()
        vertices, share = self.mesh.faces[nearest], shares[nearest]
        if not distance[nearest] < (0.02 * self.size) ** 2:
            vertex = ((self.mesh.vertices - at) ** 2).sum(1).argmin()
            vertices, share = np.full(3, vertex), np.array([1.0, 0, 0])
        weights = self.mesh.weights[vertices] * share[:, None]
        return Point(np.asarray(at), self.mesh.bones[vertices].ravel(), weights.ravel())

    def vertex(self, at: Sequence[float]) -> Point:
        """The vertex nearest a point (3,)."""
        nearest = ((self.mesh.vertices - at) ** 2).sum(1).argmin()
        return self.on_skin(self.mesh.vertices[nearest])

    def outward(self, start: np.ndarray, way: Sequence[float]) -> Point | None:
        """Where a ray first leaves the body; None where it does not."""
        hits = self.hits(start, np.asarray(way, float), leaving=True)
        return self.on_skin(start + hits.min() * np.asarray(way)) if len(hits) else None

    def hits(self, start: np.ndarray, way: np.ndarray, leaving: bool) -> np.ndarray:
        """How far along a ray it meets triangles, from within (``leaving``) or from without.

        Möller and Trumbore's intersection, of all triangles.
        """
        a, b, c = self.corners.swapaxes(0, 1)
        one, two, to = b - a, c - a, start - a
        p = np.cross(way, two)
        determinant = (one * p).sum(1)
        with np.errstate(all='ignore'):  # triangles along the ray
            u = (to * p).sum(1) / determinant
            q = np.cross(to, one)
            v = q @ way / determinant
            t = (two * q).sum(1) / determinant
            met = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 2e-6) & (t > 0)
        return t[met & (determinant < 0 if leaving else determinant > 0)]

    def at_side(self, y: float, z: float, left: bool) -> Point | None:
        """The outermost point of the skin at a height and a place along the body."""
        way = np.array([-1.0 if left else 1.0, 0, 0])
        start = np.array([self.size * (1 if left else -1), y, z])
        hits = self.hits(start, way, leaving=False)
        return self.on_skin(start + hits.min() * way) if len(hits) else None

    def tip(
        self, bones: Sequence[str], way: Sequence[float], side: int = 0, middle: bool = False
    ) -> Point | None:
        """The extreme vertex, along ``way``, of the skin that these bones move most.

        Args:
            bones: their names.
            way: a direction (3,).
            side: 1 for the left alone, -1 for the right, 0 for all.
            middle: whether the point lies on the body's middle plane.
        """
        numbers = [self.number[bone] for bone in bones if bone in self.number]
        chosen = np.isin(self.main, numbers) & (side * self.mesh.vertices[:, 0] >= 0)
        if not chosen.any():
            return None
        vertices = np.flatnonzero(chosen)
        reach = self.mesh.vertices[vertices] @ np.asarray(way, float)
        extreme = vertices[reach >= reach.max() - 0.004 * self.size]
        point = self.on_skin(self.mesh.vertices[vertices[reach.argmax()]])
        point.at = self.mesh.vertices[extreme].mean(0)
        if middle:
            point.at = point.at * [0, 1, 1]
        return point

    def farthest(self, bones: Sequence[str], start: np.ndarray) -> Point | None:
        """The vertex farthest from a point, of the skin that these bones move most."""
        numbers = [self.number[bone] for bone in bones if bone in self.number]
        vertices = np.flatnonzero(np.isin(self.main, numbers))
        if not len(vertices):
            return None
        distance = ((self.mesh.vertices[vertices] - start) ** 2).sum(1)
        return self.on_skin(self.mesh.vertices[vertices[distance.argmax()]])

    def at_places(
        self, places: dict[str, Place | None], middle: Sequence[str]
    ) -> dict[str, Point | None]:
        """Points at places, by name; those that are not of the ``middle`` on both sides."""
        result = {}
        for name, at in places.items():
            if name in middle:
                result[name] = at and self.on_skin(np.array([0, *at]))
                continue
            for side, x in zip(SIDES, (1, -1), strict=True):
                if at is None:
                    found = None
                elif len(at) == 2:
                    found = self.at_side(*at, left=x > 0)
                else:
                    found = self.vertex(np.array(at) * [x, 1, 1])
                result[f'{side} {name}'] = found
        return result
