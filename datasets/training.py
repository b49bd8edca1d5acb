"""The training data set, registered in MMPose."""

import random

from mmpose.datasets.builder import DATASETS

from fmmp.errors import InputError

from .episode_dataset import EpisodeDataset
from .episodes import training_tuples
from .seeding import derive_seeds


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
            raise InputError(f'num_queries is {self.num_queries}: a training episode has 1 query')
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
                random.Random(*derive_seeds(self.seed, epoch)),
                self.num_episodes,
            )
            self._drawn = epoch, episodes
        return self._drawn[1][sample]
