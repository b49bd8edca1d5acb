"""The actors of 0 A.D.: which mesh wears which texture, is moved by what, and carries what.

An actor is an XML file of groups of variants; a look is one variant of every group. A later
group's mesh, texture or prop at one point takes the place of an earlier one's.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from PIL import Image

from fmmp.errors import InputError

from .model import Part
from .zero_ad_files import (
    NO_BONE,
    Mesh,
    parse_xml,
    read_animation,
    read_mesh,
    read_skeleton,
    skin,
)

LARGEST_TEXTURE = 512  # pixels a side; pictures are smaller
LARGEST_FILE = 64 * 2**20  # bytes, unpacked
DEEPEST = 6  # variants of variants, props of props


@dataclass
class Variant:
    """What one variant adds to a look.

    Attributes:
        frequency: how often it is drawn, relative to its group's others; 0 for those that the game
            chooses by name.
        texture: that of the colours, as 'skeletal/animal_bear.png'.
        animations: pairs of a name in small letters and a file.
        props: pairs of a point's name and an actor, '' for none.
        colour: of what the texture leaves to it, RGB up to 1.
    """

    name: str
    frequency: float
    mesh: str | None = None
    texture: str | None = None
    animations: list[tuple[str, str]] = field(default_factory=list)
    props: list[tuple[str, str]] = field(default_factory=list)
    colour: np.ndarray | None = None


@dataclass
class Actor:
    """Groups of variants, and the material that says what a texture's alpha means."""

    groups: list[list[Variant]]
    material: str

    def look(self, generator: np.random.Generator | None, without: Sequence[str] = ()) -> Variant:
        """One variant of every group, laid on one another.

        Args:
            generator: draws the variants; None for the first of every group.
            without: variants whose name or texture has one of these words are not drawn.
        """
        result = Variant('', 1)
        props: dict[str, list[str]] = {}
        for group in self.groups:
            weights = np.array(
                [
                    variant.frequency
                    * (not any(word in f'{variant.name} {variant.texture}' for word in without))
                    for variant in group
                ]
            )
            weights = weights if weights.sum() > 0 else np.ones(len(group))
            if generator is None:
                chosen = group[int(np.flatnonzero(weights)[0])]
            else:
                chosen = group[generator.choice(len(group), p=weights / weights.sum())]
            result.mesh = chosen.mesh or result.mesh
            result.texture = chosen.texture or result.texture
            result.colour = result.colour if chosen.colour is None else chosen.colour
            result.animations += chosen.animations
            for point in {point for point, _ in chosen.props}:
                props[point] = [actor for at, actor in chosen.props if at == point and actor]
        result.props = [(point, actor) for point, actors in props.items() for actor in actors]
        return result

    def variants(self) -> list[Variant]:
        """All variants of all groups."""
        return [variant for group in self.groups for variant in group]


class Archive:
    """The package's public.zip, read where it is asked for; what was decoded last is kept.

    Args:
        path: of public.zip.

    Raises:
        InputError: no such file, or no zip file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        self.names = set(self._zip().namelist())
        self.mesh: Callable[[str], Mesh] = lru_cache(128)(self._mesh)
        self.animation: Callable[[str], np.ndarray] = lru_cache(128)(self._animation)
        self.texture: Callable[[str], np.ndarray] = lru_cache(96)(self._texture)
        self.actor: Callable[[str], Actor] = lru_cache(4096)(self._actor)
        self.skeleton: Callable[[str], list[str]] = lru_cache(None)(self._skeleton)

    def _zip(self) -> zipfile.ZipFile:
        """The zip file, opened anew in a process that was forked, as they would share its place."""
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.path)
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError(
                    f'{self.path}: not a zip file that can be read ({error}); it is '
                    "mods/public/public.zip of Debian's package 0ad-data"
                ) from error
        return self._opened[1]

    def read(self, entry: str) -> bytes:
        """An entry's bytes.

        Raises:
            InputError: no such entry, a damaged one, or one too large to be what it says.
        """
        try:
            if self._zip().getinfo(entry).file_size > LARGEST_FILE:
                raise InputError(f'{self.path}: {entry} is above {LARGEST_FILE >> 20} MiB')
            return self._zip().read(entry)
        except KeyError:
            raise InputError(f'{self.path}: holds no {entry}') from None
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise InputError(f'{self.path}: {entry} cannot be unpacked ({error})') from error

    def find(self, folder: str, file: str, suffix: str) -> str:
        """The entry that the game has made of a file, such as 'art/meshes/skeletal/x.dae'.

        Raises:
            InputError: there is none.
        """
        stem = file.rsplit('.', 1)[0]
        for name in (f'{file}.cached.{suffix}', f'{stem}.{suffix}', f'{stem}.{suffix}.cached.dds'):
            if f'{folder}/{name}' in self.names:
                return f'{folder}/{name}'
        raise InputError(f'{self.path}: holds no {folder}/{file}, as {suffix.upper()} or cached')

    def _mesh(self, file: str) -> Mesh:
        entry = self.find('art/meshes', file, 'pmd')
        return read_mesh(self.read(entry), f'{self.path}: {entry}')

    def _animation(self, file: str) -> np.ndarray:
        entry = self.find('art/animation', file, 'psa')
        return read_animation(self.read(entry), f'{self.path}: {entry}')

    def _skeleton(self, name: str) -> list[str]:
        entry = f'art/skeletons/{name}.xml'
        return read_skeleton(self.read(entry), f'{self.path}: {entry}')

    def _texture(self, file: str) -> np.ndarray:
        """RGBA (H, W, 4), uint8."""
        entry = self.find('art/textures/skins', file, 'dds')
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('error', Image.DecompressionBombWarning)
                image = Image.open(io.BytesIO(self.read(entry)), formats=['DDS']).convert('RGBA')
        except (OSError, ValueError, NotImplementedError, SyntaxError, Warning) as error:
            message = f'{self.path}: {entry} is no texture that can be read ({error})'
            raise InputError(message) from error
        shrink = LARGEST_TEXTURE / max(image.size)
        if shrink < 1:  # band by band, as alpha may be a mask rather than what is seen through
            size = [max(1, round(side * shrink)) for side in image.size]
            image = Image.merge('RGBA', [band.resize(size) for band in image.split()])
        return np.array(image)

    def _actor(self, entry: str) -> Actor:
        root = self._xml(entry)
        groups = [
            [self._variant(variant, DEEPEST) for variant in group.findall('variant')]
            for group in root.findall('group')
        ]
        material = (root.findtext('material') or 'default.xml').strip()
        return Actor([group for group in groups if group], material)

    def _xml(self, entry: str) -> Element:
        return parse_xml(self.read(entry), f'{self.path}: {entry}')

    def _variant(self, node: Element, depth: int) -> Variant:
        """A variant with what the file that it names adds, which it overrides."""
        file = 'art/variants/' + node.get('file', '')
        if depth and file in self.names:
            result = self._variant(self._xml(file), depth - 1)
        else:
            result = Variant('', 0)
        result.name = node.get('name', result.name).lower()
        result.frequency = _number(node.get('frequency'), result.frequency)
        result.mesh = (node.findtext('mesh') or '').strip() or result.mesh
        for texture in node.iter('texture'):
            if texture.get('name') == 'baseTex':
                result.texture = texture.get('file') or result.texture
        for animation in node.iter('animation'):
            if animation.get('file'):
                result.animations.append((animation.get('name', '').lower(), animation.get('file')))
        for prop in node.iter('prop'):
            result.props.append((prop.get('attachpoint', 'root'), prop.get('actor', '')))
        colour = [_number(number, 255) for number in (node.findtext('color') or '').split()]
        if len(colour) == 3:
            result.colour = np.array(colour) / 255
        return result

    def parts(
        self,
        mesh: Mesh,
        look: Variant,
        material: str,
        states: np.ndarray | None,
        generator: np.random.Generator | None,
        team: np.ndarray,
        depth: int = 0,
    ) -> list[Part]:
        """The mesh in a pose, and all that it carries.

        Args:
            mesh: it.
            look: its texture and props.
            material: what the texture's alpha means.
            states: the bones' states (B, 4, 4); None for the bind pose.
            generator: draws the props' looks; None for the first ones.
            team: the colour (3,) of the player, up to 1.
            depth: how many carry this one.
        """
        vertices, normals = skin(mesh, states)
        result = []
        if look.texture and 'null_white' not in look.texture and len(mesh.faces):
            texture = _coloured(self.texture(look.texture), material, look.colour, team)
            result.append(
                Part(
                    vertices.astype(np.float32),
                    normals.astype(np.float32),
                    mesh.uv.astype(np.float32),
                    mesh.faces.astype(np.int32),
                    texture,
                )
            )
        states = mesh.bind if states is None else states
        for at, file in look.props:
            entry, point = 'art/actors/' + file, mesh.props.get(at)
            # Decals on the ground, smoke and the like are no part of the thing.
            if point is None or entry not in self.names or 'decal' in at or depth == DEEPEST:
                continue
            actor = self.actor(entry)
            worn = actor.look(generator)
            if worn.mesh is None:
                continue
            place = point.matrix if point.bone == NO_BONE else states[point.bone] @ point.matrix
            carried = self.mesh(worn.mesh)
            # What has the same skeleton, such as a mane, moves with it.
            moved = states if len(carried.bind) == len(states) else None
            for part in self.parts(
                carried, worn, actor.material, moved, generator, team, depth + 1
            ):
                part.vertices = (part.vertices @ place[:3, :3].T + place[:3, 3]).astype(np.float32)
                part.normals = (part.normals @ place[:3, :3].T).astype(np.float32)
                result.append(part)
        return result


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return otherwise
    return value if np.isfinite(value) and value >= 0 else otherwise


def _coloured(
    texture: np.ndarray, material: str, colour: np.ndarray | None, team: np.ndarray
) -> np.ndarray:
    """The texture as seen: its alpha is transparency, or leaves room for a colour, or nothing."""
    if material.startswith('basic_trans'):
        return texture
    result = texture.copy()
    result[..., 3] = 255
    if material.startswith('player'):
        colour = team
    elif not material.startswith('objectcolor'):
        colour = None
    if colour is not None:
        kept = texture[..., 3:] / 255
        result[..., :3] = texture[..., :3] * (kept + (1 - kept) * colour)
    return result
