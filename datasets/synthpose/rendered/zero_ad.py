"""SynthPose's animals and people: 0 A.D.'s models (Debian's package 0ad-data, CC BY-SA 3.0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from .anatomy import Body, Point
from .animals import LIMBS, QUADRUPEDS, Animal
from .model import Category, Model, Posed
from .zero_ad_actors import Actor, Archive, Variant
from .zero_ad_files import Mesh, skin

PACKAGE = '0ad-data, mods/public/public.zip'
CREATOR = 'Wildfire Games and the contributors of 0 A.D.'
LICENCE = 'CC BY-SA 3.0'

MIDDLE = ['nose', 'withers', 'tail base', 'tail tip']
FRONT = ['shoulder', 'elbow', 'wrist', 'front foot']
HIND = ['hip', 'knee', 'hock', 'hind foot']
SIDED = ['eye', 'ear tip', *FRONT, *HIND]
QUADRUPED = MIDDLE + [f'{side} {name}' for name in SIDED for side in ('left', 'right')]
QUADRUPED_LINKS = [('nose', 'withers'), ('withers', 'tail base'), ('tail base', 'tail tip')] + [
    (one if one in MIDDLE else f'{side} {one}', f'{side} {two}')
    for chain in (('nose', 'eye', 'ear tip'), ('withers', *FRONT), ('tail base', *HIND))
    for one, two in pairwise(chain)
    for side in ('left', 'right')
]
OWN_PROPS = ('_hair_', 'props/fauna/', 'teeth')  # manes, antlers; not riders and saddles
TURN = np.diag([-1.0, 1.0, -1.0, 1.0])  # half a turn about the vertical


def categories(public_zip: str | Path) -> list[Category]:
    """0 A.D.'s animals in categories.

    Args:
        public_zip: mods/public/public.zip of the package.

    Raises:
        InputError: a file that is missing or damaged, by its name and the entry's.
    """
    archive = Archive(public_zip)
    worn = _actors_by_mesh(archive)
    result = []
    for name, animals in QUADRUPEDS.items():
        models = []
        for animal in animals:
            rigged = Rigged(archive, animal, worn.get(f'skeletal/{animal.mesh}.dae', []))
            models.append(
                Model(
                    name=animal.mesh,
                    pose=rigged.pose,
                    origin=f'{PACKAGE}: art/meshes/skeletal/{animal.mesh}.dae',
                    creator=CREATOR,
                    licence=LICENCE,
                )
            )
        result.append(
            Category(
                name=name,
                kind='animal body',
                keypoints=QUADRUPED,
                skeleton=_links(QUADRUPED, QUADRUPED_LINKS),
                models=models,
                swap=_swap(QUADRUPED),
            )
        )
    return result


def _links(names: Sequence[str], links: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    return [(names.index(one), names.index(two)) for one, two in links]


def _swap(names: Sequence[str]) -> list[int]:
    """For each keypoint, the one of the other side."""
    other = {'left': 'right', 'right': 'left'}
    words = [name.split(' ') for name in names]
    return [names.index(' '.join([other.get(first, first), *rest])) for first, *rest in words]


def _actors_by_mesh(archive: Archive) -> dict[str, list[str]]:
    """The actors that use a mesh, by the mesh's file."""
    result: dict[str, list[str]] = {}
    for entry in sorted(archive.names):
        if entry.startswith(('art/actors/fauna/', 'art/actors/units/')) and entry.endswith('.xml'):
            if 'fauna' in entry and 'flaming' in entry:
                continue
            for mesh in {variant.mesh for variant in archive.actor(entry).variants()} - {None}:
                result.setdefault(mesh, []).append(entry)
    return result


class Rigged:
    """An animal's mesh that takes the poses of its animations."""

    def __init__(self, archive: Archive, animal: Animal, actors: Sequence[str]) -> None:
        free = [actor for actor in actors if 'fauna/' in actor]  # those of units are ridden
        self.archive, self.animal, self.actors = archive, animal, free or actors
        self.file = f'skeletal/{animal.mesh}.dae'

    @cached_property
    def mesh(self) -> Mesh:
        """In its bind pose, facing z."""
        mesh = self.archive.mesh(self.file)
        return mesh if self._faces_front(mesh.bind) else _turned(mesh)

    @cached_property
    def limbs(self) -> tuple[list[list[str]], list[list[str]]]:
        """The bones of the front and the hind legs, left and right, a side's names each."""
        limbs = LIMBS[self.animal.limbs]
        return tuple(
            [[bone.format(*side) for bone in bones] for side in limbs.sides]
            for bones in (limbs.front, limbs.hind)
        )

    @cached_property
    def names(self) -> list[str]:
        """Of the bones."""
        skeleton = LIMBS[self.animal.limbs].skeleton
        return self.archive.skeleton(skeleton) if isinstance(skeleton, str) else list(skeleton)

    def _faces_front(self, states: np.ndarray) -> bool:
        """Whether the front feet are before the hind feet."""
        front, hind = (
            np.mean([states[self.names.index(legs[side][-1]), 2, 3] for side in (0, 1)])
            for legs in self.limbs
        )
        return front > hind

    @cached_property
    def animations(self) -> list[str]:
        """The animations that fit the mesh, but those of dying."""
        files = {
            file
            for entry in self.actors
            for variant in self.archive.actor(entry).variants()
            for name, file in variant.animations
            if 'death' not in name and 'death' not in file
        }
        bones = len(self.archive.mesh(self.file).bind)
        return sorted(file for file in files if self.archive.animation(file).shape[1] == bones)

    @cached_property
    def points(self) -> list[Point | None]:
        """The keypoints of the bind pose."""
        found = quadruped_points(Body(self.mesh, self.names), self.animal)
        return [found.get(name) for name in QUADRUPED]

    def pose(self, generator: np.random.Generator | None) -> Posed:
        """The animal at rest, or in a frame of one of its animations."""
        look, material = self._look(generator)
        states, team = None, np.array([0.2, 0.3, 0.6])
        if generator is not None:
            team = generator.uniform(0, 1, 3)
            drawn = generator.integers(len(self.animations) + 1)
            if drawn:
                frames = self.archive.animation(self.animations[drawn - 1])
                states = frames[generator.integers(len(frames))]
                if not self._faces_front(states):
                    states = TURN @ states
        parts = self.archive.parts(self.mesh, look, material, states, generator, team)
        return Posed(parts, place(self.points, self.mesh, states))

    def _look(self, generator: np.random.Generator | None) -> tuple[Variant, str]:
        """Texture and props of one of the actors, and the material."""
        if not self.actors:
            return Variant('', 1), ''
        number = 0 if generator is None else generator.integers(len(self.actors))
        actor: Actor = self.archive.actor(self.actors[number])
        look = actor.look(generator)
        look.props = [prop for prop in look.props if any(own in prop[1] for own in OWN_PROPS)]
        return look, actor.material


def _turned(mesh: Mesh) -> Mesh:
    """The mesh after half a turn about the vertical."""
    turn = TURN[:3, :3]
    return Mesh(
        mesh.vertices @ turn,
        mesh.normals @ turn,
        mesh.uv,
        mesh.faces,
        mesh.bones,
        mesh.weights,
        TURN @ mesh.bind,
        mesh.props,
    )


def place(points: Sequence[Point | None], mesh: Mesh, states: np.ndarray | None) -> np.ndarray:
    """The points of the bind pose in another one, (K, 3); NaN for None."""
    result = np.full((len(points), 3), np.nan)
    known = [i for i, point in enumerate(points) if point is not None]
    at = np.array([points[i].at for i in known])
    moved = Mesh(
        at,
        at,
        at[:, :2],
        mesh.faces,
        np.array([points[i].bones for i in known]),
        np.array([points[i].weights for i in known]),
        mesh.bind,
        {},
    )
    result[known] = skin(moved, states)[0]
    return result


def quadruped_points(body: Body, animal: Animal) -> dict[str, Point | None]:
    """The keypoints of a four-legged animal by name, those that are found."""
    limbs = LIMBS[animal.limbs]
    result: dict[str, Point | None] = {'nose': body.tip(limbs.head, limbs.nose_way, middle=True)}
    base = body.joint(limbs.tail[0])
    if base is not None:
        result['tail base'] = body.outward(base, (0, 0.6, -0.8))
        result['tail tip'] = body.farthest(limbs.tail, base)
    for side in limbs.sides:
        bones = [bone.format(*side) for bone in (*limbs.front, *limbs.hind)]
        joints = [body.joint(bone) for bone in bones]
        feet = [joints[3], joints[7]]
        left = np.mean([foot[0] for foot in feet if foot is not None]) > 0
        way = np.array([1.0 if left else -1.0, 0, 0])
        word = 'left' if left else 'right'
        for name, bone, joint in zip(FRONT + HIND, bones, joints, strict=True):
            if 'foot' in name:
                result[f'{word} {name}'] = body.tip([bone], (0, -0.5, 1), side=int(way[0]))
            elif joint is not None:
                result[f'{word} {name}'] = body.outward(joint, way) or body.follow(bone)
        ears = [bone.format(*side) for bone in limbs.ear]
        base = body.joint(ears[0]) if ears else None
        if base is not None and limbs.ear_way is None:
            result[f'{word} ear tip'] = body.farthest(ears, base)
        elif base is not None:
            result[f'{word} ear tip'] = body.tip(ears, limbs.ear_way * np.array([way[0], 1, 1]))
    elbow = result.get('left elbow')
    if elbow is not None:
        start = np.array([0, elbow.at[1], elbow.at[2]])
        result['withers'] = body.outward(start, (0, 1, 0))
    for name, at in animal.places.items():
        if name in MIDDLE:
            result[name] = at and body.on_skin(np.array([0, *at]))
            continue
        for word, side in (('left', 1), ('right', -1)):
            if at is None:
                result[f'{word} {name}'] = None
            elif len(at) == 2:
                result[f'{word} {name}'] = body.at_side(*at, left=side > 0)
            else:
                result[f'{word} {name}'] = body.vertex(np.array([side, 1, 1]) * at)
    return result
