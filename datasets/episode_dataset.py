"""The data sets of episodes, registered in MMPose."""

import random
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmpose.datasets.builder import DATASETS
from mmpose.datasets.pipelines import Compose
from torch.utils.data import Dataset

from . import transforms  # noqa: F401 (registers the crop that pipelines name)
from .annotations import Category, Instance, load_annotations
from .crop import center_and_scale
from .episodes import evaluation_pairs, training_tuples
from .metrics import METRICS, copy_support, evaluate_pairs, mean_metrics
from .padding import METHODS, pad_keypoints
from .seeding import derive_seed, global_generators
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
            raise ValueError(f'data_cfg.padding is {self.padding!r}: choose from {METHODS}')
        if self.image_size < 32 or self.image_size % 32:
            raise ValueError(f'data_cfg.image_size is {self.image_size}: give a multiple of 32')
        if self.num_references < 1:
            raise ValueError('data_cfg.num_references must be at least 1')
        if self.mixup_alpha <= 0:
            raise ValueError('data_cfg.mixup_alpha must be above 0')


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
        test_mode: given by MMPose's builders; the class says what it is.

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
        test_mode: bool = False,
    ) -> None:
        self.ann_file = str(ann_file)
        self.img_prefix = str(img_prefix)
        self.num_shots = _at_least_one('num_shots', num_shots)
        self.num_queries = _at_least_one('num_queries', num_queries)
        self.num_episodes = num_episodes and _at_least_one('num_episodes', num_episodes)
        self.settings = DataSettings(**{'padding': self.default_padding, **(data_cfg or {})})
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f'seed is {seed!r}: give a whole number of at least 0')
        self.seed = seed
        self.categories, self.instances = load_annotations(
            ann_file,
            select_categories(valid_class_ids),
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
                raise ValueError(
                    f'{ann_file}, category {self.categories[id_].name!r} ({id_}): '
                    f'{len(numbers)} instances are too few for {num_shots} supports + '
                    f'{num_queries} queries: lower num_shots or num_queries, annotate more, or '
                    'leave the category out of valid_class_ids'
                )
        self.pipeline = Compose(pipeline)

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
        lam, link = self._draw_mixup(category, derive_seed(self.seed, epoch, sample))

        views = []
        for position, instance in enumerate(episode):
            with global_generators(derive_seed(self.seed, epoch, sample, position)):
                view = self._load(instance, category)
            points, visible, skeleton = pad_keypoints(
                view['keypoints'],
                view['visible'],
                category.skeleton,
                self.settings.num_keypoints,
                self.settings.padding,
                lam=lam,
                link=link,
            )
            references, _ = structural_references(visible, skeleton, self.settings.num_references)
            views.append((view['img'], points, visible, references))
        imgs, points, visible, references = zip(*views, strict=True)
        return {
            'imgs': torch.stack(imgs),
            'points': torch.from_numpy(np.stack(points)),
            'visible': torch.from_numpy(np.stack(visible)),
            'reference_index': torch.from_numpy(np.stack(references)),
            'num_keypoints': torch.tensor(category.num_keypoints),
            'index': torch.tensor(index),
        }

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
            'image_file': str(Path(self.img_prefix, instance.image)),
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


def _at_least_one(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f'{name} is {value!r}: give a whole number of at least 1')
    return value


@DATASETS.register_module()
class TrainEpisodes(EpisodeDataset):
    """Training episodes: S supports and a query, drawn anew each epoch.

    Every category gives ``num_episodes`` episodes an epoch; unless given, as many as the largest
    category has instances. See `EpisodeDataset` for the arguments and the items.
    """

    default_padding = 'mixup'

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if self.num_queries != 1:
            raise ValueError(f'num_queries is {self.num_queries}: a training episode has 1 query')
        self._drawn = (-1, [])  # the latest epoch's number and episodes

    def __len__(self) -> int:
        largest = max(map(len, self.instances_by_category.values()))
        return len(self.categories) * (self.num_episodes or largest)

    def _episode(self, epoch: int, sample: int) -> list[int]:
        if self._drawn[0] != epoch:
            episodes = training_tuples(
                self.instances_by_category,
                list(self.categories),
                self.num_shots,
                random.Random(derive_seed(self.seed, epoch)),
                self.num_episodes,
            )
            self._drawn = epoch, episodes
        return self._drawn[1][sample]


@DATASETS.register_module()
class TestEpisodes(EpisodeDataset):
    """The episodes of an evaluation, the same every time: S supports shared by Q queries.

    Items also have the queries' ``center`` and ``scale`` (Q, 2) float32, which lead from the crop
    back to the image. See `EpisodeDataset` for the arguments and the rest of an item.

    Attributes:
        pairs: ``[support, …, query]``, numbers of instances, in evaluation order.
    """

    default_padding = 'uniform'
    __test__ = False  # no test class, whatever its name tells pytest

    def __init__(
        self, *args: object, num_queries: int = 15, num_episodes: int = 200, **kwargs: object
    ) -> None:
        super().__init__(*args, num_queries=num_queries, num_episodes=num_episodes, **kwargs)
        if self.settings.padding == 'mixup':
            raise ValueError("data_cfg.padding is 'mixup', which draws: test with 'uniform'")
        self.pairs = evaluation_pairs(
            self.instances_by_category,
            list(self.categories),
            self.num_shots,
            self.num_queries,
            self.num_episodes,
        )

    def __len__(self) -> int:
        return len(self.pairs) // self.num_queries

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Load an episode."""
        item = super().__getitem__(index)
        queries = self._episode(0, index % len(self))[self.num_shots :]
        crops = [center_and_scale(self.instances[query].box) for query in queries]
        item['center'], item['scale'] = (
            torch.from_numpy(np.stack(values)) for values in zip(*crops, strict=True)
        )
        return item

    def _episode(self, epoch: int, sample: int) -> list[int]:
        pairs = self.pairs[sample * self.num_queries : (sample + 1) * self.num_queries]
        return pairs[0][:-1] + [pair[-1] for pair in pairs]

    def evaluate(
        self,
        results: Sequence[dict],
        metric: str | Sequence[str] | None = None,
        logger: object = None,
    ) -> OrderedDict[str, float]:
        """Average the metrics over all pairs; MMCV's evaluation hooks call this.

        Args:
            results: what the model returned for each batch: ``index``, the items' indices, and
                ``predictions``, an array (Q, K, 2) in image pixels an item.
            metric: names of metrics, ``PCK`` for PCK at all thresholds; None for all.
            logger: given by the hooks, not used.

        Raises:
            ValueError: an episode has no prediction, or there is no such metric.
        """
        metrics = mean_metrics(evaluate_pairs(self.pairs, self._collect(results), self.instances))
        if metric is None:
            return metrics
        chosen = [metric] if isinstance(metric, str) else metric
        unknown = set(chosen) - {*METRICS, 'PCK'}
        if unknown:
            raise ValueError(f'unknown metric {sorted(unknown)}: choose from PCK, {METRICS}')
        return OrderedDict(
            (name, value)
            for name, value in metrics.items()
            if name in chosen or name.split('@')[0] in chosen
        )

    def report(self, results: Sequence[dict]) -> dict:
        """Return the whole evaluation, ready for JSON.

        Args:
            results: as for `evaluate`.

        Returns:
            ``metrics``; ``per_category``, the same by category name; ``copy_support`` and
            ``copy_support_per_category``, the same for copying the supports' keypoints; ``pairs``;
            and ``predictions``, K_c points in image pixels a pair.
        """
        predictions = self._collect(results)
        scores = evaluate_pairs(self.pairs, predictions, self.instances)
        floor = evaluate_pairs(self.pairs, copy_support(self.pairs, self.instances), self.instances)
        return {
            'metrics': mean_metrics(scores),
            'per_category': self._by_category(scores),
            'copy_support': mean_metrics(floor),
            'copy_support_per_category': self._by_category(floor),
            'pairs': self.pairs,
            'predictions': [prediction.tolist() for prediction in predictions],
        }

    def _by_category(self, scores: Sequence[dict]) -> dict[str, OrderedDict[str, float]]:
        size = self.num_episodes * self.num_queries
        return {
            category.name: mean_metrics(scores[position * size : (position + 1) * size])
            for position, category in enumerate(self.categories.values())
        }

    def _collect(self, results: Sequence[dict]) -> list[np.ndarray]:
        """Order a model's results: the K_c predicted keypoints of every pair."""
        episodes = {
            int(index) % len(self): np.asarray(prediction)
            for result in results
            for index, prediction in zip(result['index'], result['predictions'], strict=True)
        }
        missing = len(self) - len(episodes)
        if missing:
            raise ValueError(f'{missing} of {len(self)} episodes have no prediction')
        predictions = []
        for number, pair in enumerate(self.pairs):
            episode, query = divmod(number, self.num_queries)
            category = self.categories[self.instances[pair[-1]].category_id]
            predictions.append(episodes[episode][query][: category.num_keypoints])
        return predictions
