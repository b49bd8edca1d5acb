"""The data set of an evaluation, registered in MMPose."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
from mmpose.datasets.builder import DATASETS

from fmmp.errors import InputError

from .crop import center_and_scale, to_image
from .episode_dataset import EpisodeDataset
from .episodes import evaluation_pairs
from .metrics import METRICS, copy_support, evaluate_pairs, mean_metrics

BY_CATEGORY = ('mPCK', 'PCK@0.2')
"""What a validation gives by category, too."""


@DATASETS.register_module()
class TestEpisodes(EpisodeDataset):
    """The episodes of an evaluation, the same every time: S supports shared by Q queries.

    See `EpisodeDataset` for the arguments and the items.

    Attributes:
        pairs: ``[support, …, query]``, numbers of instances, in evaluation order.
    """

    default_padding = 'uniform'
    default_queries = 15
    __test__ = False  # no test class, whatever its name tells pytest

    def __init__(
        self,
        *args: object,
        num_queries: int = default_queries,
        num_episodes: int = 200,
        **kwargs: object,
    ) -> None:
        super().__init__(*args, num_queries=num_queries, num_episodes=num_episodes, **kwargs)
        if self.settings.padding_method.draws:
            raise InputError(
                f"data_cfg.padding is {self.settings.padding!r}, which draws: test with 'uniform'"
            )
        self.pairs = evaluation_pairs(
            self.instances_by_category,
            list(self.categories),
            self.num_shots,
            self.num_queries,
            self.num_episodes,
        )

    def __len__(self) -> int:
        return len(self.pairs) // self.num_queries

    def _episode(self, epoch: int, sample: int) -> list[int]:
        pairs = self.pairs[sample * self.num_queries : (sample + 1) * self.num_queries]
        return pairs[0][:-1] + [pair[-1] for pair in pairs]

    @property
    def metric_names(self) -> list[str]:
        """What `evaluate` gives, of which ``evaluation.save_best`` names one."""
        names = [category.name for category in self.categories.values()]
        return [*METRICS, *(f'{metric}/{name}' for name in names for metric in BY_CATEGORY)]

    def evaluate(
        self, results: Sequence[dict], logger: object = None, **_: object
    ) -> OrderedDict[str, float]:
        """Average all metrics over all pairs; MMCV's evaluation hooks call this.

        Two of them follow by category, such as ``mPCK/bird``.

        Args:
            results: what the model found for each batch: ``index``, the items' indices, and
                ``points``, an array (Q, K, 2) in sides of the queries' crops an item.
            logger: given by the hooks, not used; nor is what else they may give.

        Raises:
            ValueError: an episode has no prediction.
        """
        scores = evaluate_pairs(self.pairs, self._collect(results), self.instances)
        metrics = mean_metrics(scores)
        for name, row in self._by_category(scores).items():
            metrics.update({f'{metric}/{name}': row[metric] for metric in BY_CATEGORY})
        return metrics

    def report(self, results: Sequence[dict]) -> dict:
        """Return the whole evaluation, ready for JSON.

        Args:
            results: as for `evaluate`.

        Returns:
            ``metrics``; ``per_category``, the same by category name; ``copy_support`` and
            ``copy_support_per_category``, the same for copying the supports' keypoints; ``pairs``,
            episode by episode, each with ``num_queries``; ``pair_scores``, a list a metric with a
            number a pair to 6 decimals, whose mean is the metric; ``predictions``, K_c points in
            image pixels a pair to 4 decimals, which is what float32 tells apart; ``confidence``,
            where the results have it, K_c numbers a pair; ``left_out``, the numbers of instances of
            the categories left out, by name.
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
            'num_queries': self.num_queries,
            'pair_scores': {
                metric: _rounded(values, 6)
                for metric, values in scores.items()
                if metric != 'mAP'  # mPCK by another name
            },
            'predictions': [_rounded(prediction, 4) for prediction in predictions],
            **self._confidence(results),
            'left_out': self.left_out,
        }

    def _by_category(self, scores: Mapping[str, np.ndarray]) -> dict[str, OrderedDict[str, float]]:
        # The categories' pairs follow each other, equally many of each.
        parts = {name: values.reshape(len(self.categories), -1) for name, values in scores.items()}
        return {
            category.name: mean_metrics({name: values[row] for name, values in parts.items()})
            for row, category in enumerate(self.categories.values())
        }

    def _collect(self, results: Sequence[dict]) -> list[np.ndarray]:
        """Order a model's results: the K_c keypoints of every pair, in pixels of its query."""
        in_crop = self._by_pair(results, 'points')
        boxes = (self.instances[pair[-1]].box for pair in self.pairs)
        return [
            to_image(points, *center_and_scale(box))
            for points, box in zip(in_crop, boxes, strict=True)
        ]

    def _confidence(self, results: Sequence[dict]) -> dict[str, list]:
        """The keypoints' confidence in every pair, where the model has given it."""
        if not all('confidence' in result for result in results):
            return {}
        return {'confidence': [_rounded(c, 4) for c in self._by_pair(results, 'confidence')]}

    def _by_pair(self, results: Sequence[dict], name: str) -> list[np.ndarray]:
        """Order what a model has found: of every pair, (K_c, …)."""
        episodes = {
            int(index) % len(self): np.asarray(values, np.float64)
            for result in results
            for index, values in zip(result['index'], result[name], strict=True)
        }
        missing = len(self) - len(episodes)
        if missing:
            raise ValueError(f'{missing} of {len(self)} episodes have no prediction')
        found = []
        for number, pair in enumerate(self.pairs):
            episode, query = divmod(number, self.num_queries)
            category = self.categories[self.instances[pair[-1]].category_id]
            found.append(episodes[episode][query][: category.num_keypoints])
        return found


def _rounded(values: np.ndarray, decimals: int) -> list:
    """Round for JSON; in float64, since a rounded float32 has its 17 digits again as text."""
    return np.round(np.asarray(values, np.float64), decimals).tolist()
