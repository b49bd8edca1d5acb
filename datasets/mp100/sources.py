"""Where MP-100's images come from: 100 folders out of thirteen data sets."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..category_names import CategoryNames


@dataclass(frozen=True)
class Source:
    """A data set that MP-100 takes images from.

    Attributes:
        name: its official name, its key in sources.yml.
        layout: ``folder``, one folder serves all its categories; ``classes``, a category combines
            class folders; ``matched``, images are found by their annotations; ``frames``, they
            may be taken out of an HDF5 file.
        images: what to give as its folder.
        advice: what to know when images are missing.
        counts: images of a complete copy by category, where its folder is a category's alone.
        classes: class folders by category; empty lists where the layout has none.
    """

    name: str
    layout: str
    images: str
    advice: str
    counts: dict[str, int] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def categories(self) -> list[str]:
        """The categories, which are MP-100's folders."""
        return list(self.classes)


@cache
def sources() -> dict[str, Source]:
    """Return the thirteen sources by name."""
    content = json.loads((Path(__file__).parent / 'sources.json').read_text(encoding='utf-8'))
    return {name: Source(name, **entry) for name, entry in content.items()}


def source_of(names: CategoryNames, category_id: int) -> Source | None:
    """Return where a category's images come from; None for one that is not MP-100's."""
    folder = names.mp100_folder(category_id)
    return next((source for source in sources().values() if folder in source.classes), None)
