"""What training and test data sets share: from instances to an episode's tensors."""

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmpose.datasets.pipelines import Compose
from torch.utils.data import Dataset

from fmmp.errors import InputError

from . import transforms  # noqa: F401 (registers what pipelines name)
from .annotations import Category, Instance, count_instances, load_annotations
from .crop import center_and_scale
from .padding import METHODS, place_padding
from .seeding import derive_seeds, kept_generators, seed_generators
from .splits import select_categories
from .structure import structural_references


@dataclass(frozen=True)
class DataSettings:
    """What configs give as ``data_cfg``.

    Attributes:
        padding: ``mixup`` (unless given, for training), ``uniform`` (for testing) or ``zero``.
        image_size: side of the crops, in pixels.
        num_keypoints: K, to which every category is padded.
        num_references: structural references of a keypoint; the model uses the first M.
        mixup_alpha: α of λ ~ Beta(α, α).
    """

    padding: str
    image_size: int = 256
    num_keypoints: int = 70
    num_references: int = 16
    mixup_alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.padding not in METHODS:
            raise InputError(f'data_cfg.padding is {self.padding!r}: choose from {METHODS}')
        for name in ('image_size', 'num_keypoints', 'num_references'):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f'data_cfg.{name} is {value!r}: give a whole number above 0')
        if self.image_size % 32:
            raise InputError(f'data_cfg.image_size is {self.image_size}: give a multiple of 32')
        if self.mixup_alpha <= 0:
            raise InputError('data_cfg.mixup_alpha must be above 0')


class EpisodeDataset(Dataset, ABC):
    """Episodes of a few categories of an annotation file.

    An item is one episode, supports first and queries last, as plain tensors:

    - ``imgs`` (S+Q, 3, H, W) float32;
    - ``points`` (S+Q, K, 2) float32, in [0, 1] inside the crop;
    - ``visible`` (S+Q, K) bool;
    - ``reference_index`` (S+Q, K, num_references) int64;
    - ``num_keypoints`` int64, the category's K_c; the keypoints from there on are padding;
    - ``index`` int64, the index asked for.

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
        data_cfg = {'padding': self.default_padding, **(data_cfg or {})}
        unknown = data_cfg.keys() - DataSettings.__annotations__.keys()
        if unknown:
            known = ', '.join(DataSettings.__annotations__)
            raise InputError(
                f'data_cfg has unknown settings {sorted(unknown)}: choose from {known}'
            )
        self.settings = DataSettings(**data_cfg)
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
            allow_empty_skeleton=self.settings.padding == 'zero',
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
        self.pipeline = Compose(pipeline)

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
        mixup_seed, *seeds = derive_seeds(self.seed, epoch, sample, count=1 + len(episode))
        lam, link = self._draw_mixup(category, mixup_seed)

        views = []
        with kept_generators():
            for instance, seed in zip(episode, seeds, strict=True):
                seed_generators(seed)
                views.append(self._load(instance, category))

        return {
            **episode_tensors(views, category.skeleton, self.settings, lam, link),
            'num_keypoints': torch.tensor(category.num_keypoints),
            'index': torch.tensor(index),
        }

    def files(self, index: int) -> list[str]:
        """Name an episode's image files, supports first."""
        numbers = self._episode(*divmod(index, len(self)))
        return [self._file(self.instances[number]) for number in numbers]

    def _file(self, instance: Instance) -> str:
        return os.path.join(self.img_prefix, instance.image)

    def _draw_mixup(
        self, category: Category, seed: int
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Draw each position's λ and link, once an episode."""
        if self.settings.padding != 'mixup':
            return None, None
        generator = np.random.default_rng(seed)
        alpha, total = self.settings.mixup_alpha, self.settings.num_keypoints
        return generator.beta(alpha, alpha, total), generator.integers(
            len(category.skeleton), size=total
        )

    def _load(self, instance: Instance, category: Category) -> dict:
        """Run the pipeline on an instance."""
        center, scale = center_and_scale(instance.box)
        view = {
            'image_file': self._file(instance),
            'image_size': self.settings.image_size,
            'center': center,
            'scale': scale,
            'keypoints': instance.keypoints,
            'visible': instance.visible,
        }
        try:
            return self.pipeline(view)
        except Exception as error:
            if 'img' in view:  # it was read: something else went wrong
                raise
            raise OSError(
                f'{view["image_file"]}, of category {category.name!r} in {self.ann_file}, is '
                'missing or no readable image: check img_prefix, or fetch the image again'
            ) from error


def episode_tensors(
    views: Sequence[dict],
    skeleton: Sequence[Sequence[int]],
    settings: DataSettings,
    lam: np.ndarray | None = None,
    link: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Pad an episode's crops and find their structural references.

    Args:
        views: what the pipeline gave for each image: ``img``, ``keypoints`` and ``visible``.
        skeleton: the category's links.
        settings: of the data set.
        lam, link: of mixup padding, as in `pad_keypoints`.

    Returns:
        ``imgs``, ``points``, ``visible`` and ``reference_index``, as `EpisodeDataset` has them.
    """
    padding = place_padding(
        len(views[0]['keypoints']),
        skeleton,
        settings.num_keypoints,
        settings.padding,
        lam=lam,
        link=link,
    )
    points, visible, references = [], [], []
    known = {}  # references by visibility; the rest that they depend on is the episode's
    for view in views:
        padded, shown = padding.pad(view['keypoints'], view['visible'])
        pattern = shown.tobytes()
        if pattern not in known:
            chained = padding.chain(shown)
            known[pattern], _ = structural_references(shown, chained, settings.num_references)
        points.append(padded)
        visible.append(shown)
        references.append(known[pattern])
    return {
        'imgs': torch.stack([view['img'] for view in views]),
        'points': torch.from_numpy(np.stack(points)),
        'visible': torch.from_numpy(np.stack(visible)),
        'reference_index': torch.from_numpy(np.stack(references)),
    }


def _at_least_one(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise InputError(f'{name} is {value!r}: give a whole number of at least 1')
    return value
