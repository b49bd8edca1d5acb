"""What training and test data sets share: from instances to an episode's tensors."""

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from fmmp.errors import InputError

from .annotations import Category, Instance, count_instances, load_annotations
from .preparation import Preparation
from .seeding import derive_seeds, kept_generators, seed_generators
from .settings import DataSettings
from .splits import select_categories


class EpisodeDataset(Dataset, ABC):
    """Episodes of a few categories of an annotation file.

    An item is one episode, supports first and queries last, as plain tensors: ``imgs``, ``points``,
    ``visible``, ``reference_index`` and ``skeleton`` (if the settings ask for them),
    ``num_keypoints`` and ``num_queries``, as `fmmp.models.Episode` has them; and ``index``, the
    index asked for.

    Indices count on through the epochs: index e · len + i is sample i of epoch e. What is drawn at
    random depends on the seed, the epoch and the sample alone, so the number of worker processes
    changes nothing.

    Args:
        ann_file: COCO-style annotation file.
        img_prefix: folder that the file's image paths start from.
        pipeline: transforms, from reading the image to the normalised tensor.
        valid_class_ids: ids or names of categories; ``dict(split=1, subset='train')``;
            ``dict(super_category='vehicle', subset='train')``; None for all in the file.
        num_shots: S, supports an episode.
        num_queries: Q, queries an episode.
        num_episodes: episodes a category.
        data_cfg: the keywords of `DataSettings`.
        skeleton_base: first number in the file's links: 0, 1 or ``'mp100'`` (its split files).
        skeleton_file: JSON of 0-based links by category, in place of the file's own.
        seed: seed of the random draws.
        allow_missing: leave out categories with too few instances for an episode, with a warning,
            instead of raising an error.

    Attributes:
        categories: the categories by id.
        instances: their instances by number.
        left_out: the numbers of instances of the categories left out, by name.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the annotation file or a setting cannot be used; the message says why.
    """

    default_padding: str

    def __init__(
        self,
        ann_file: str | Path,
        img_prefix: str | Path,
        pipeline: Sequence[dict],
        valid_class_ids: Sequence[int | str] | dict | None = None,
        num_shots: int = 1,
        num_queries: int = 1,
        num_episodes: int | None = None,
        data_cfg: dict | None = None,
        skeleton_base: int | str = 0,
        skeleton_file: str | Path | None = None,
        seed: int = 0,
        allow_missing: bool = False,
    ) -> None:
        self.ann_file = str(ann_file)
        self.img_prefix = str(img_prefix)
        self.num_shots = _at_least_one('num_shots', num_shots)
        self.num_queries = _at_least_one('num_queries', num_queries)
        if num_episodes is not None:
            _at_least_one('num_episodes', num_episodes)
        self.num_episodes = num_episodes
        self.settings = DataSettings.of(data_cfg, padding=self.default_padding)
        if not isinstance(seed, int) or seed < 0:
            raise InputError(f'seed is {seed!r}: give a whole number of at least 0')
        self.seed = seed
        selected = select_categories(valid_class_ids)
        self.left_out = {}
        if allow_missing:
            selected, self.left_out = self._with_enough_instances(selected)
        self.categories, self.instances = load_annotations(
            ann_file,
            selected,
            max_keypoints=self.settings.num_keypoints,
            allow_empty_skeleton=not self.settings.padding_method.needs_links,
            skeleton_base=skeleton_base,
            skeleton_file=skeleton_file,
        )
        self.instances_by_category = {id_: [] for id_ in self.categories}
        for instance in self.instances.values():
            self.instances_by_category[instance.category_id].append(instance.index)
        for id_, numbers in self.instances_by_category.items():
            if len(numbers) < self.num_shots + self.num_queries:
                raise InputError(
                    f'{ann_file}, category {self.categories[id_].name!r} ({id_}): '
                    f'{len(numbers)} instances are too few for {num_shots} supports + '
                    f'{num_queries} queries: lower num_shots or num_queries, annotate more, or '
                    'leave such categories out with allow_missing=True'
                )
        self.preparation = Preparation(pipeline, self.settings)
        for category in self.categories.values() if self.settings.num_links else ():
            if len(category.skeleton) > self.settings.num_links:
                raise InputError(
                    f'data_cfg.num_links is {self.settings.num_links}, and category '
                    f'{category.name!r} of {ann_file} has {len(category.skeleton)} links: raise it'
                )

    def _with_enough_instances(
        self, selected: Sequence[int | str] | None
    ) -> tuple[list[int], dict[str, int]]:
        """Return the ids of categories with instances for an episode, and the others' numbers."""
        needed = self.num_shots + self.num_queries
        counts = count_instances(self.ann_file, selected)
        enough = [id_ for id_, (_, count) in counts.items() if count >= needed]
        left_out = {name: count for name, count in counts.values() if count < needed}
        if not enough:
            raise InputError(
                f'{self.ann_file}: no category has the {needed} instances of an episode: lower '
                'num_shots or num_queries, or annotate more'
            )
        if left_out:
            listing = ', '.join(f'{name} ({count})' for name, count in left_out.items())
            warnings.warn(
                f'{self.ann_file}: {len(left_out)} of {len(counts)} categories have fewer than '
                f'{needed} instances and are left out: {listing}',
                stacklevel=3,
            )
        return enough, left_out

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _episode(self, epoch: int, sample: int) -> list[int]:
        """Return the numbers of an episode's instances, supports first."""

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Load an episode.

        Raises:
            OSError: an image is missing or unreadable.
        """
        epoch, sample = divmod(index, len(self))
        episode = [self.instances[number] for number in self._episode(epoch, sample)]
        category = self.categories[episode[0].category_id]
        padding_seed, *seeds = derive_seeds(self.seed, epoch, sample, count=1 + len(episode))
        padding = self.settings.padding_method
        drawn = {}
        if padding.draws:
            generator = np.random.default_rng(padding_seed)
            drawn = padding.draw(self.settings.num_keypoints, len(category.skeleton), generator)

        views = []
        with kept_generators():
            for instance, seed in zip(episode, seeds, strict=True):
                seed_generators(seed)
                views.append(self._load(instance, category))

        return {
            **self.preparation.episode(views, category.skeleton, drawn),
            'num_queries': torch.tensor(self.num_queries),
            'index': torch.tensor(index),
        }

    def files(self, index: int) -> list[str]:
        """Name an episode's image files, supports first."""
        numbers = self._episode(*divmod(index, len(self)))
        return [self._file(self.instances[number]) for number in numbers]

    def _file(self, instance: Instance) -> str:
        return os.path.join(self.img_prefix, instance.image)

    def _load(self, instance: Instance, category: Category) -> dict:
        """Prepare an instance's image."""
        file = self._file(instance)
        try:
            return self.preparation(file, instance.box, instance.keypoints, instance.visible)
        except OSError as error:
            raise OSError(
                f'{file}, of category {category.name!r} in {self.ann_file}, is missing or no '
                'readable image: check img_prefix, or fetch the image again'
            ) from error


def _at_least_one(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise InputError(f'{name} is {value!r}: give a whole number of at least 1')
    return value
