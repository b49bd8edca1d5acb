"""Skeletons in annotation files: which number they count from, which links hold, files of links."""

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from ..annotations import ZERO_BASED_IN_SPLIT_FILES
from ..coco import read_json

Links = list[list[int]]

TO_ITSELF = 'links a keypoint to itself'
REPEATED = 'is there before'


@dataclass(frozen=True)
class Base:
    """The number from which a skeleton counts its keypoints, and what tells so."""

    first: int
    told_by: str


def base_by_indices(links: Iterable, num_keypoints: int) -> Base | None:
    """Tell from a skeleton's indices whether it counts keypoints from 0 or from 1.

    The base is the one under which fewer links lead to keypoints that do not exist: a 0 speaks
    against 1, the number of keypoints K_c speaks against 0.

    Returns:
        The base, or None where both leave as many links.
    """
    links = [link for link in links if _is_pair(link)]
    lost = [sum(not _exists(link, num_keypoints, base) for link in links) for base in (0, 1)]
    if lost[0] == lost[1]:
        return None
    return Base(int(lost[1] < lost[0]), 'its indices')


def base_by_convention(category_id: int, others: Mapping[int, Base | None]) -> Base:
    """Tell the base of a skeleton whose indices fit both.

    Where every other category whose indices tell counts from 0, also those that MP-100's split
    files count from 1, the files are a set that counts from 0 throughout. Else the split files'
    known list decides.

    Args:
        category_id: the category.
        others: what the indices tell, by category id.
    """
    told = {
        base.first
        for id_, base in others.items()
        if base is not None and id_ not in ZERO_BASED_IN_SPLIT_FILES
    }
    if told == {0}:
        return Base(0, 'the other categories')
    return Base(0 if category_id in ZERO_BASED_IN_SPLIT_FILES else 1, "MP-100's known list")


def clean_links(links: Iterable, num_keypoints: int, first: int) -> tuple[Links, list[dict]]:
    """Bring links to 0-based and drop those that are none.

    Args:
        links: pairs of keypoints.
        num_keypoints: K_c.
        first: the number of the first keypoint, 0 or 1.

    Returns:
        The links that hold, in their order, and ``{'link', 'why'}`` for each dropped one, the link
        as it was written.
    """
    kept, dropped, seen = [], [], set()
    for link in links:
        if not _is_pair(link):
            why = 'is no pair of keypoints'
        elif not _exists(link, num_keypoints, first):
            why = f'leads to a keypoint that does not exist ({num_keypoints} from {first})'
        elif link[0] == link[1]:
            why = TO_ITSELF
        elif frozenset(link) in seen:
            why = REPEATED
        else:
            seen.add(frozenset(link))
            kept.append([link[0] - first, link[1] - first])
            continue
        dropped.append({'link': link, 'why': why})
    return kept, dropped


def read_links(file: str | Path) -> dict[str, Links]:
    """Read 0-based links by category, from JSON or from a dict saved as ``.npy``.

    Returns:
        Links by category name or id, as strings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not what it should be.
    """
    if Path(file).suffix == '.npy':
        content = _read_npy(file)
    else:
        content = read_json(file, 'file of links')
    if not isinstance(content, dict):
        raise InputError(f'{file}: give links by category: name or id to a list of pairs [i, j]')
    result = {}
    for name, links in content.items():
        try:
            pairs = [[int(i) for i in link] for link in links]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError
        except (TypeError, ValueError):
            raise InputError(
                f'{file}, category {name!r}: give a list of pairs of keypoints [i, j]'
            ) from None
        result[str(name)] = pairs
    return result


def _is_pair(link: object) -> bool:
    return isinstance(link, (list, tuple)) and [type(index) for index in link] == [int, int]


def _exists(link: list[int], num_keypoints: int, first: int) -> bool:
    return all(first <= index < first + num_keypoints for index in link)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles plain containers and numpy arrays; nothing that could run code."""

    def find_class(self, module: str, name: str) -> object:
        if module == 'numpy' and name in ('ndarray', 'dtype'):
            return getattr(np, name)
        # numpy 1 and 2 keep what builds their arrays and scalars in different places
        if module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            if name == '_reconstruct':
                return np.array(0).__reduce__()[0]
            if name == 'scalar':
                return np.int64(0).__reduce__()[0]
        raise pickle.UnpicklingError(f'it holds {module}.{name}, which is no plain data')


def _read_npy(file: str | Path) -> object:
    """Read a ``.npy`` file that may hold one pickled dict."""
    try:
        with open(file, 'rb') as stream:
            version = np.lib.format.read_magic(stream)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = read_header(stream)
            if shape != () or not dtype.hasobject:
                raise InputError('it holds an array, not a dict')
            return _ArraysOnly(stream).load().item()
    except FileNotFoundError:
        raise FileNotFoundError(f'{file}: there is no such file of links: check the path') from None
    except Exception as error:  # whatever a malformed pickle raises
        raise InputError(f'{file}: no dict of links that can be read safely: {error}') from error
