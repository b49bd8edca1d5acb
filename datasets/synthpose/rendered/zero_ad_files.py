"""The file formats of 0 A.D.: meshes (PMD), animations (PSA) and skeletons (XML).

Both binary formats are little-endian: four bytes of a mark, a version, the size of what follows.
A bone's state is a translation and a quaternion, from the bone's space to the model's, so no
hierarchy has to be walked. In the files z points to the model's back; what is read has it to the
front, as `model` says.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace

import numpy as np

from fmmp.errors import InputError

NO_BONE = 255
MOST_SETS = 8  # places in textures for a vertex
MIRROR = np.array([1, 1, -1])


@dataclass
class PropPoint:
    """Where a mesh carries another: the matrix (4, 4) from its space to the bone's, or the model's.

    Attributes:
        bone: its number, or `NO_BONE` for the model's own space.
    """

    matrix: np.ndarray
    bone: int


@dataclass
class Mesh:
    """A mesh in its bind pose.

    Attributes:
        vertices, normals: (V, 3).
        uv: (V, 2), (0, 0) being the texture's first pixel.
        faces: (F, 3).
        bones, weights: (V, 4), the bones that move a vertex and how much; `NO_BONE` for none.
        bind: (B, 4, 4), the bones' states in the bind pose.
        props: by name.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    bones: np.ndarray
    weights: np.ndarray
    bind: np.ndarray
    props: dict[str, PropPoint]


class _Bytes:
    """A file's bytes, read from first to last; it says where they end too early."""

    def __init__(self, data: bytes, mark: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 4
        if data[:4] != mark:
            raise InputError(f'{name}: not a file of the kind {mark.decode()}')
        self.version, _ = self.number(), self.number()

    def array(self, kind: str | np.dtype, *shape: int) -> np.ndarray:
        """The next numbers."""
        kind = np.dtype(kind)
        count = int(np.prod(shape, dtype=object))  # as it may overflow
        end = self.at + count * kind.itemsize
        if end > len(self.data):
            raise InputError(f'{self.name}: ends too early; is the package whole?')
        result = np.frombuffer(self.data, kind, count, self.at).reshape(shape)
        self.at = end
        return result

    def number(self) -> int:
        return int(self.array('<u4', 1)[0])

    def text(self) -> str:
        return self.array('u1', self.number()).tobytes().decode('ascii', 'replace')

    def states(self, *shape: int) -> np.ndarray:
        """Bones' states as matrices (…, 4, 4)."""
        return _matrices(self.finite(self.array('<f4', *shape, 7)))

    def finite(self, array: np.ndarray) -> np.ndarray:
        if not np.isfinite(array).all():
            raise InputError(f'{self.name}: holds numbers that are not finite')
        return array.astype(np.float64)


def _matrices(states: np.ndarray) -> np.ndarray:
    """Translations and quaternions (…, 7) as matrices (…, 4, 4), z turned round."""
    x, y, z, w = np.moveaxis(states[..., 3:] * [-1, -1, 1, 1], -1, 0)
    matrices = np.zeros((*states.shape[:-1], 4, 4))
    matrices[..., 0, :3] = np.stack(
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1
    )
    matrices[..., 1, :3] = np.stack(
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1
    )
    matrices[..., 2, :3] = np.stack(
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1
    )
    matrices[..., :3, 3] = states[..., :3] * MIRROR
    matrices[..., 3, 3] = 1
    return matrices


def read_mesh(data: bytes, name: str) -> Mesh:
    """Read a PMD file of version 4.

    Args:
        data: the file's bytes.
        name: what errors call it.

    Raises:
        InputError: another kind or version of file, one that ends too early, faces of vertices
            that there are not, or numbers that are not finite.
    """
    file = _Bytes(data, b'PSMD', name)
    if file.version != 4:
        raise InputError(f'{name}: a mesh of version {file.version}, and only version 4 is read')
    count, sets = file.number(), file.number()
    if not 1 <= sets <= MOST_SETS:
        raise InputError(f'{name}: a mesh of {sets} places in textures for a vertex')
    vertex = np.dtype(
        [
            ('at', '<f4', 3),
            ('normal', '<f4', 3),
            ('uv', '<f4', (sets, 2)),
            ('bones', 'u1', 4),
            ('weights', '<f4', 4),
        ]
    )
    vertices = file.array(vertex, count)
    faces = file.array('<u2', file.number(), 3).astype(np.int32)
    if faces.size and faces.max() >= count:
        raise InputError(f'{name}: a face of vertex {faces.max()}, and there are {count}')
    bind = file.states(file.number())
    props = {}
    for _ in range(file.number()):
        prop = file.text()
        state, bone = file.states(), int(file.array('u1', 1)[0])
        props[prop] = PropPoint(state, bone if bone < len(bind) else NO_BONE)
    bones = vertices['bones'].astype(np.int64)
    bones[bones >= len(bind)] = NO_BONE
    return Mesh(
        vertices=file.finite(vertices['at']) * MIRROR,
        normals=file.finite(vertices['normal']) * MIRROR,
        uv=file.finite(vertices['uv'][:, 0]) * [1, -1] + [0, 1],  # textures are upside down
        faces=faces,
        bones=bones,
        weights=file.finite(vertices['weights']),
        bind=bind,
        props=props,
    )


def read_animation(data: bytes, name: str) -> np.ndarray:
    """Read a PSA file: the bones' states (frames, B, 4, 4).

    Args:
        data: the file's bytes.
        name: what errors call it.

    Raises:
        InputError: another kind of file, one that ends too early, or numbers that are not finite.
    """
    file = _Bytes(data, b'PSSA', name)
    file.text()  # its name
    file.array('<f4', 1)  # the time of a frame
    bones, frames = file.number(), file.number()
    return file.states(frames, bones)


def read_skeleton(data: bytes, name: str) -> list[str]:
    """Read the names of a standard skeleton's bones, in the order that meshes number them by.

    Args:
        data: the XML file's bytes.
        name: what errors call it.

    Raises:
        InputError: no XML, or no standard skeleton in it.
    """
    standard = parse_xml(data, name).find('standard_skeleton')
    if standard is None:
        raise InputError(f'{name}: holds no standard skeleton')
    return [bone.get('name', '') for bone in standard.iter('bone')]


def parse_xml(data: bytes, name: str) -> ET.Element:
    """The root of an XML file.

    Raises:
        InputError: no XML, or one that declares entities, which may expand without bound.
    """
    if b'<!ENTITY' in data:
        raise InputError(f'{name}: declares entities, which no actor or skeleton does')
    try:
        return ET.fromstring(data)
    except ET.ParseError as error:
        raise InputError(f'{name}: not XML that can be read ({error})') from error


def skin(mesh: Mesh, states: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and normals (V, 3) with the bones in ``states`` (B, 4, 4), None being the bind pose.

    Linear blend skinning: v' = Σ_b w_b · S_b · B_b⁻¹ · v, with the weights summing to 1.
    """
    if states is None or not len(mesh.bind):
        return mesh.vertices, mesh.normals
    moved = states[:, :3] @ np.linalg.inv(mesh.bind)
    held = mesh.bones != NO_BONE
    weights = mesh.weights * held
    total = weights.sum(1)
    weights = weights / np.maximum(total, 1e-9)[:, None]
    blend = np.einsum('vk,vkij->vij', weights, moved[np.where(held, mesh.bones, 0)])
    blend[total <= 0] = np.eye(4)[:3]
    vertices = np.einsum('vij,vj->vi', blend[..., :3], mesh.vertices) + blend[..., 3]
    return vertices, np.einsum('vij,vj->vi', blend[..., :3], mesh.normals)


def turned(thing: Mesh | np.ndarray) -> Mesh | np.ndarray:
    """A mesh, or bones' states (…, 4, 4), after half a turn about the vertical."""
    if isinstance(thing, np.ndarray):
        return np.diag([-1.0, 1, -1, 1]) @ thing
    turn = np.array([-1, 1, -1])
    return replace(
        thing,
        vertices=thing.vertices * turn,
        normals=thing.normals * turn,
        bind=turned(thing.bind),
    )
