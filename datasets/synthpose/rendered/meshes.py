"""Meshes of OBJ files in a zip file, whose entries nobody vouches for."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fmmp.errors import InputError

from .model import Part

if TYPE_CHECKING:
    import trimesh

MAX_FACES = 70_000  # larger models cost more than they give
MAX_BYTES = 64 << 20  # of an entry, unpacked
BESIDE = ('.mtl', '.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tga')  # what materials name


@lru_cache(maxsize=8)
def open_archive(path: str) -> zipfile.ZipFile:
    """A zip file; one that was opened before is not listed again.

    Raises:
        InputError: it is none.
    """
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f'{path} cannot be read ({error})') from error


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of an entry.

    Raises:
        InputError: there is none of the name, it leads out of the archive, is broken or too large.
    """
    name = _plain(name)
    try:
        if name.startswith('../') or archive.getinfo(name).file_size > MAX_BYTES:
            raise InputError(f'{archive.filename}: {name} is outside, or unpacks to too much')
        return archive.read(name)
    except (
        *(KeyError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error),
        RuntimeError,  # encrypted, or packed in an unknown way
    ) as error:
        raise InputError(f'{archive.filename}: {name} cannot be read ({error})') from error


def _plain(name: str) -> str:
    """An entry's name without detours."""
    return posixpath.normpath(name.replace('\\', '/')).lstrip('/')


def plain_texture(colour: np.ndarray) -> np.ndarray:
    """A texture of one colour (3,), from 0 to 255."""
    return np.tile(np.r_[colour[:3], 255].astype(np.uint8), (2, 2, 1))


def read_obj(archive: zipfile.ZipFile, name: str) -> list[Part]:
    """Reads an OBJ file with its materials and textures, which lie in the same archive.

    Raises:
        InputError: it is broken, empty or too large, or trimesh is missing.
    """
    try:
        import trimesh
    except ImportError as error:
        raise InputError('reading OBJ files needs trimesh: bash install.sh brings it') from error
    data, folder = read_entry(archive, name), posixpath.dirname(_plain(name)) + '/'
    # What lies beside it, read beforehand, is all that its materials can name.
    beside = {
        entry.removeprefix(folder): io.BytesIO(read_entry(archive, entry))
        for entry in archive.namelist()
        if entry.startswith(folder) and entry.lower().endswith(BESIDE)
    }
    try:
        scene = trimesh.load_scene(
            io.BytesIO(data),
            file_type='obj',
            resolver=trimesh.resolvers.ZipResolver(beside),
            process=False,
        )
        parts = [_part(mesh) for mesh in scene.dump() if len(getattr(mesh, 'faces', ()))]
    except Exception as error:  # a broken file may raise anything
        raise InputError(f'{archive.filename}: {name} is no usable OBJ file ({error})') from error
    faces = sum(len(part.faces) for part in parts)
    finite = all(np.isfinite(part.vertices).all() for part in parts)
    if not 1 <= faces <= MAX_FACES or not finite:
        raise InputError(
            f'{archive.filename}: {name} has {faces} faces, expected 1 to {MAX_FACES}, all finite'
        )
    return parts


def _part(mesh: trimesh.Trimesh) -> Part:
    """A mesh of trimesh with its material."""
    mesh.remove_unreferenced_vertices()
    material, uv = getattr(mesh.visual, 'material', None), getattr(mesh.visual, 'uv', None)
    image = getattr(material, 'image', None)
    if image is not None and uv is not None:
        texture, uv = np.array(image.convert('RGBA')), np.c_[uv[:, 0], 1 - uv[:, 1]]
    else:
        diffuse = getattr(material, 'diffuse', None)
        texture = plain_texture(np.array([200, 200, 200] if diffuse is None else diffuse))
        uv = np.zeros((len(mesh.vertices), 2))
    return Part(
        np.asarray(mesh.vertices, np.float32),
        np.nan_to_num(np.asarray(mesh.vertex_normals, np.float32)),
        np.nan_to_num(uv).astype(np.float32),
        np.asarray(mesh.faces, np.int32),
        texture,
    )
