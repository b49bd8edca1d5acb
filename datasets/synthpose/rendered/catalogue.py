"""All categories of the packages at hand, and which of them are for training."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from fmmp.errors import InputError

from . import aircraft, furniture, zero_ad
from .model import Entry

# Categories whose part is chosen, so that all kinds are tested; of the others, it is drawn.
TEST = {'horse', 'elephant', 'big cat', 'rabbit', 'chicken', 'whale', 'chair', 'bed', 'car'}
VALIDATION = {'zebra', 'pig', 'peacock', 'desk', 'bench', 'wardrobe', 'motorbike'}
TRAINING = {'man', 'woman', 'bear', 'giraffe', 'hippopotamus', 'deer', 'fish'}


@dataclass(frozen=True)
class Sources:
    """Where the packages' files lie; None for one that is left out.

    Attributes:
        zero_ad: 0 A.D.'s public.zip.
        furniture: the folder of Sweet Home 3D's catalogues.
        aircraft: the folder of FlightGear's models.
    """

    zero_ad: str | None = None
    furniture: str | None = None
    aircraft: str | None = None


def entries(sources: Sources) -> list[Entry]:
    """The categories of all sources, in the order of their names, which are told apart.

    Raises:
        InputError: there is no source, or one cannot be read.
    """
    found: list[Entry] = []
    if sources.zero_ad is not None:
        for category in zero_ad.categories(sources.zero_ad):
            found.append(Entry(category.name, category.kind, lambda category=category: category))
    if sources.furniture is not None:
        found += furniture.categories(sources.furniture)
    if sources.aircraft is not None:
        found += aircraft.categories(sources.aircraft)
    if not found:
        raise InputError('no models: give --zero-ad, --furniture or --aircraft')
    times = Counter(entry.name for entry in found)
    told_apart = [
        replace(entry, name=f'{entry.name} ({entry.kind})') if times[entry.name] > 1 else entry
        for entry in found
    ]
    return sorted(told_apart, key=lambda entry: entry.name)


def part(name: str) -> str:
    """'train', 'val' or 'test': what a category of a name is for, whatever others there are."""
    name = name.partition(' (')[0]  # without the kind by which it is told apart
    if name in TEST:
        return 'test'
    if name in VALIDATION:
        return 'val'
    if name in TRAINING:
        return 'train'
    draw = zlib.crc32(name.encode()) % 20
    return 'test' if draw < 3 else 'val' if draw < 4 else 'train'


def rendered_split(names: Iterable[str]) -> dict[str, list[int]]:
    """The category ids, from 1, of 'train', 'val' and 'test', of categories' names in order."""
    numbered = [(number, part(name)) for number, name in enumerate(names, 1)]
    return {p: [number for number, one in numbered if one == p] for p in ('train', 'val', 'test')}


def files(sources: Sources) -> list[list]:
    """Names and sizes of the sources' files, by which two sets of them are told apart."""
    roots = [Path(path) for path in (sources.zero_ad, sources.furniture, sources.aircraft) if path]
    found = [p for root in roots for p in ([root] if root.is_file() else root.rglob('*'))]
    return sorted([p.name, p.stat().st_size] for p in found if p.suffix in {'.zip', '.sh3f', '.ac'})
