"""SynthPose's animals and people: 0 A.D.'s models (Debian's package 0ad-data, CC BY-SA 3.0)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from . import birds_and_fish, people, quadrupeds
from .anatomy import Animal, Body, Kind, Point, links, place
from .model import Category, Model, Posed
from .zero_ad_actors import Archive, Variant
from .zero_ad_files import Mesh, turned

PACKAGE = '0ad-data, mods/public/public.zip'
CREATOR = 'Wildfire Games and the contributors of 0 A.D.'
LICENCE = 'CC BY-SA 3.0'

KINDS = quadrupeds.KINDS + birds_and_fish.KINDS
PEOPLE = {'man': 'skeletal/new/m_', 'woman': 'skeletal/new/f_'}  # how their bodies' files begin

ANIMAL_PROPS = ('_hair_', 'props/fauna/', 'teeth')  # manes, antlers; not riders and saddles
NOT_ALIVE = ('death', 'dead', 'blood', 'flaming')
# Riders and crews sit and pull at what is not there; shields hide those in formation.
NOT_ON_FOOT = ('rider/', 'chariot', 'elephantry', 'formations/', 'siege')
TEAM = np.array([0.2, 0.3, 0.6])  # the player's colour where none is drawn


def categories(public_zip: str | Path, kinds: Sequence[Kind] = KINDS) -> list[Category]:
    """0 A.D.'s animals and people in categories.

    A keypoint that no model of a category has is left out of it.

    Args:
        public_zip: mods/public/public.zip of the package.
        kinds: the animals.

    Raises:
        InputError: a file that is missing or damaged, by its name and the entry's.
    """
    archive = Archive(public_zip)
    worn = _actors_by_mesh(archive)
    result = [_animals(archive, kind, worn) for kind in kinds]
    result += [_people(archive, name, mark, worn) for name, mark in PEOPLE.items()]
    return [category for category in result if category.models]


def _actors_by_mesh(archive: Archive) -> dict[str, list[str]]:
    """The actors of animals and units that use a mesh, by the mesh's file."""
    result: dict[str, list[str]] = {}
    for entry in sorted(archive.names):
        folder = entry.startswith(('art/actors/fauna/', 'art/actors/units/'))
        if folder and entry.endswith('.xml') and not any(word in entry for word in NOT_ALIVE):
            for mesh in {variant.mesh for variant in archive.actor(entry).variants()} - {None}:
                result.setdefault(mesh, []).append(entry)
    return result


def _animals(archive: Archive, kind: Kind, worn: dict[str, list[str]]) -> Category:
    posed = [
        PosedAnimal(archive, animal, kind.keypoints, worn.get(f'skeletal/{animal.mesh}.dae', []))
        for animal in kind.animals
    ]
    has = [any(animal.found.get(name) for animal in posed) for name in kind.keypoints]
    keypoints = [name for name, known in zip(kind.keypoints, has, strict=True) if known]
    for animal in posed:
        animal.keypoints = keypoints
    models = [_model(animal.animal.mesh, animal, f'art/meshes/{animal.file}') for animal in posed]
    return _category(kind.name, kind.kind, keypoints, kind.paths, models)


def _model(name: str, posed: PosedAnimal | PosedPeople, origin: str) -> Model:
    return Model(name, posed.pose, f'{PACKAGE}: {origin}', CREATOR, LICENCE)


def _category(
    name: str,
    kind: str,
    keypoints: list[str],
    paths: Sequence[Sequence[str]],
    models: list[Model],
) -> Category:
    """A category with the links between its keypoints; sides are told by names."""
    number = {keypoint: i for i, keypoint in enumerate(keypoints)}
    other = {'left': 'right', 'right': 'left'}
    words = [keypoint.split(' ') for keypoint in keypoints]
    return Category(
        name=name,
        kind=kind,
        keypoints=keypoints,
        skeleton=links(paths, keypoints),
        models=models,
        swap=[number[' '.join([other.get(first, first), *rest])] for first, *rest in words],
    )


def _alive(variant: Variant) -> list[str]:
    """The files of a variant's animations but those of dying."""
    return [
        file for name, file in variant.animations if 'death' not in name and 'death' not in file
    ]


class PosedAnimal:
    """An animal's mesh, which takes the poses of its animations.

    Args:
        archive: the package's files.
        animal: what is known of it.
        keypoints: their names.
        actors: the entries of those that use the mesh.
    """

    def __init__(
        self, archive: Archive, animal: Animal, keypoints: list[str], actors: Sequence[str]
    ) -> None:
        if not actors:
            raise InputError(
                f'{archive.path}: no actor uses art/meshes/skeletal/{animal.mesh}.dae; '
                'is it of another version of the package?'
            )
        free = [actor for actor in actors if 'fauna/' in actor]  # those of units are ridden
        self.archive, self.animal, self.keypoints = archive, animal, keypoints
        self.actors = free or list(actors)
        self.file = f'skeletal/{animal.mesh}.dae'

    @cached_property
    def names(self) -> list[str]:
        """Of the bones."""
        skeleton = self.animal.skeleton
        if isinstance(skeleton, tuple):
            return list(skeleton)
        return self.archive.skeleton(skeleton) if skeleton else []

    @cached_property
    def mesh(self) -> Mesh:
        """In its bind pose, facing z."""
        mesh = self.archive.mesh(self.file)
        return mesh if self._faces_front(mesh.bind) else turned(mesh)

    def _faces_front(self, states: np.ndarray) -> bool:
        """Whether the front bone is before the hind one."""
        if not self.animal.front:
            return True
        names = self.names[: len(states)]
        for bone in (self.animal.front, self.animal.hind):
            if bone not in names:
                raise InputError(
                    f'{self.archive.path}: art/meshes/{self.file} has no bone {bone}; '
                    'is it of another version of the package?'
                )
        front, hind = (names.index(bone) for bone in (self.animal.front, self.animal.hind))
        return states[front, 2, 3] > states[hind, 2, 3]

    @cached_property
    def found(self) -> dict[str, Point | None]:
        """The keypoints of the bind pose by name."""
        return self.animal.find(Body(self.mesh, self.names))

    @cached_property
    def animations(self) -> list[str]:
        """The animations that fit the mesh, but those of dying."""
        variants = [one for actor in self.actors for one in self.archive.actor(actor).variants()]
        files = sorted({file for variant in variants for file in _alive(variant)})
        bones = len(self.mesh.bind)
        return [file for file in files if self.archive.animation(file).shape[1] == bones > 0]

    def pose(self, generator: np.random.Generator | None) -> Posed:
        """The animal at rest, or in a frame of one of its animations."""
        look, material = self._look(generator)
        states, team = None, TEAM
        if generator is not None:
            team = generator.uniform(0, 1, 3)
            drawn = generator.integers(len(self.animations) + 1)
            if drawn:
                frames = self.archive.animation(self.animations[drawn - 1])
                states = frames[generator.integers(len(frames))]
                if not self._faces_front(states):
                    states = turned(states)
        parts = self.archive.parts(self.mesh, look, material, states, generator, team)
        points = [self.found.get(name) for name in self.keypoints]
        return Posed(parts, place(points, self.mesh, states))

    def _look(self, generator: np.random.Generator | None) -> tuple[Variant, str]:
        """The texture and the props of one of the actors, and its material."""
        number = 0 if generator is None else generator.integers(len(self.actors))
        actor = self.archive.actor(self.actors[number])
        look = actor.look(generator, without=NOT_ALIVE)
        look.props = [prop for prop in look.props if any(own in prop[1] for own in ANIMAL_PROPS)]
        return look, actor.material


def _people(archive: Archive, name: str, mark: str, worn: dict[str, list[str]]) -> Category:
    """Men or women, a model for each of the peoples, whose units differ in dress."""
    by_people: dict[str, list[str]] = {}
    for entry in sorted({actor for actors in worn.values() for actor in actors}):
        meshes = {variant.mesh for variant in archive.actor(entry).variants()} - {None}
        on_foot = 'art/actors/units/' in entry and not entry.endswith(('_r.xml', '_d.xml'))
        if on_foot and all(mesh.startswith(mark) for mesh in meshes):
            by_people.setdefault(entry.split('/')[3], []).append(entry)
    models = [
        _model(group, PosedPeople(archive, actors), f'art/actors/units/{group}')
        for group, actors in by_people.items()
    ]
    return _category(name, 'person', people.KEYPOINTS, people.PATHS, models)


class PosedPeople:
    """Units of one people, one of which is drawn at each pose.

    Args:
        archive: the package's files.
        actors: the units' entries.
    """

    def __init__(self, archive: Archive, actors: Sequence[str]) -> None:
        self.archive, self.actors = archive, actors
        self.points = lru_cache(64)(self._points)

    def _points(self, file: str) -> list[Point | None]:
        """The keypoints of a body in its bind pose."""
        body = Body(self.archive.mesh(file), self.archive.skeleton(people.SKELETON))
        found = people.find(body)
        return [found.get(name) for name in people.KEYPOINTS]

    def pose(self, generator: np.random.Generator | None) -> Posed:
        """A unit at rest, or in a frame of one of its animations on foot."""
        number = 0 if generator is None else generator.integers(len(self.actors))
        actor = self.archive.actor(self.actors[number])
        look = actor.look(generator, without=NOT_ALIVE)
        if look.mesh is None or look.texture is None:
            raise InputError(f'{self.archive.path}: {self.actors[number]} has no body or no dress')
        mesh, states, team = self.archive.mesh(look.mesh), None, TEAM
        if generator is not None:
            team = generator.uniform(0, 1, 3)
            files = [
                file
                for variant in actor.variants()
                for file in _alive(variant)
                if not any(word in file for word in NOT_ON_FOOT)
            ]
            for file in generator.permutation(sorted(set(files))):
                frames = self.archive.animation(str(file))
                if frames.shape[1] == len(mesh.bind):
                    states = frames[generator.integers(len(frames))]
                    break
        parts = self.archive.parts(mesh, look, actor.material, states, generator, team)
        # A spear longer than its bearer would make him small in every picture.
        reach = [np.ptp(part.vertices, axis=0).max() for part in parts]
        parts = [part for part, extent in zip(parts, reach, strict=True) if extent <= reach[0]]
        return Posed(parts, place(self.points(look.mesh), mesh, states))
