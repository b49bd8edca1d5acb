"""What categories are called: MP-100's by their folders, and no two of a file alike.

A category of MP-100 is told by its id and the folder of its images, the first part of their paths:
in MP-100's files 15 of the 100 are named by another word, and two are both named ``face``.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from fmmp.errors import InputError

Value = TypeVar('Value')


@cache
def _mp100() -> tuple[dict[int, str], dict[int, str]]:
    """MP-100's folders by id, and the names of those named otherwise."""
    content = json.loads((Path(__file__).parent / 'mp100_categories.json').read_text())
    folders, names = (
        {int(id_): word for id_, word in content[section].items()}
        for section in ('folders', 'names')
    )
    return folders, names


class CategoryNames:
    """The names of an annotation file's categories.

    Attributes:
        folders: by id, the first part of most of its images' paths; '' where it has no image.
        original: by id, the name that the file gave it at first.
        shown: by id, the name that people read and results are keyed by. It is the file's, but the
            folder's where another category of the file has the same name, or where the category is
            MP-100's.

    Args:
        content: COCO-style content. In an entry of its categories, ``original_name`` is the first
            name of one that was renamed before.
    """

    def __init__(self, content: Mapping[str, list[dict]]) -> None:
        entries = {entry['id']: entry for entry in content['categories']}
        named = {id_: entry['name'] for id_, entry in entries.items()}
        self.original = {id_: x.get('original_name') or x['name'] for id_, x in entries.items()}
        self.folders = _folders(content, entries)
        uses = Counter(named.values())
        self.shown = {
            id_: self.mp100_folder(id_)
            or (self.folders[id_] if uses[name] > 1 and self.folders[id_] else name)
            for id_, name in named.items()
        }
        while repeated := {name for name, n in Counter(self.shown.values()).items() if n > 1}:
            for id_, name in self.shown.items():
                if name in repeated:
                    self.shown[id_] = f'{name} ({id_})'

    def mp100_folder(self, id_: int) -> str | None:
        """Return the folder of a category of MP-100, None where it is another data set's.

        The id of one of MP-100's tells its subset in each split.
        """
        folders, names = _mp100()
        folder = folders.get(id_)
        if self.folders[id_]:
            return folder if self.folders[id_] == folder else None
        return folder if self.original[id_] in (folder, names.get(id_)) else None

    def agree(self, others: 'CategoryNames', id_: int) -> bool:
        """Whether another file's category of the same id has the same name, now or at first."""
        return self.shown[id_] == others.shown[id_] or self.original[id_] == others.original[id_]

    def find(self, name: str) -> int | None:
        """Return the category that is shown as this name, or else was named so at first.

        Raises:
            ValueError: several were named so.
        """
        found = [id_ for id_, shown in self.shown.items() if shown == name]
        found = found or [id_ for id_, original in self.original.items() if original == name]
        if len(found) > 1:
            listing = ' and '.join(f'{id_} ({self.shown[id_]})' for id_ in found)
            raise InputError(f'{name!r} is ambiguous, the name of {listing}: give one of these')
        return found[0] if found else None

    def find_name_or_id(self, word: str) -> int | None:
        """Return the category of a name, as `find` does, or else of an id written as text."""
        if (found := self.find(word)) is not None:
            return found
        return next((id_ for id_ in self.shown if str(id_) == word), None)

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Return what names no category, by name or id, neither of the file nor of MP-100."""
        folders, names = _mp100()
        mp100 = {*folders.values(), *names.values(), *map(str, folders)}
        return [key for key in keys if key not in mp100 and self.find_name_or_id(key) is None]

    def by_id(self, values: Mapping[str, Value]) -> dict[int, Value]:
        """Key by id what people have keyed by name or id; leave out what is no category's.

        Raises:
            ValueError: a key is the name of several categories.
        """
        ids = {str(id_): id_ for id_ in self.shown}
        result = {ids[key]: value for key, value in values.items() if key in ids}
        for key, value in values.items():
            if (id_ := self.find(key)) is not None:
                result[id_] = value
        return result


def _folders(content: Mapping[str, list[dict]], ids: Iterable[int]) -> dict[int, str]:
    """Return the first part of most of each category's images' paths."""
    of_image = {
        image['id']: image['file_name'].partition('/')[0]
        for image in content['images']
        if '/' in image['file_name']
    }
    counts = defaultdict(Counter)
    for annotation in content['annotations']:
        if folder := of_image.get(annotation['image_id']):
            counts[annotation['category_id']][folder] += 1
    return {id_: max(counts[id_], key=counts[id_].get, default='') for id_ in ids}
