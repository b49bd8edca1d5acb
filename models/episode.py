"""An episode, the unit that every method learns from and predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Episode:
    """A batch of episodes: S annotated support images and Q query images of one category each.

    Along G = S + Q the supports come first. Points are (x, y) in sides of the crop, so that the
    crop spans [0, 1]. When predicting, nothing of the queries but their images counts; when
    training, their points and visibility are the targets.

    Attributes:
        imgs: (B, G, 3, H, W) float32, normalised crops.
        points: (B, G, K, 2) float32, each category padded to K keypoints.
        visible: (B, G, K) bool, which of them are to be seen in the crop.
        reference_index: (B, G, K, R) long, each keypoint's structural references, nearest first and
            itself at first; None for methods that use none.
        num_keypoints: (B,) long, K_c: the category's own keypoints, which come before the padded
            ones; needed for training.
        num_queries: Q.
        skeleton: (B, E, 2) long, the category's links, 0-based, with rows of -1 behind; None for
            methods that use none.
    """

    imgs: Tensor
    points: Tensor
    visible: Tensor
    reference_index: Tensor | None = None
    num_keypoints: Tensor | None = None
    num_queries: int = 1
    skeleton: Tensor | None = None

    @classmethod
    def of(cls, batch: Mapping[str, object]) -> Episode:
        """Make an episode of a data set's batch, which may hold more."""
        names = {field.name for field in fields(cls)}
        values = {name: value for name, value in batch.items() if name in names}
        queries = values.get('num_queries', 1)
        if isinstance(queries, Tensor):  # collated: (B,), all alike
            queries = int(queries.flatten()[0])
        return cls(**{**values, 'num_queries': queries})

    @property
    def num_shots(self) -> int:
        """S."""
        return self.points.shape[1] - self.num_queries

    @property
    def supports(self) -> Episode:
        """The supports alone."""
        return replace(self._images(slice(None, self.num_shots)), num_queries=0)

    @property
    def queries(self) -> Episode:
        """The queries alone."""
        return self._images(slice(self.num_shots, None))

    def _images(self, images: slice) -> Episode:
        names = ('imgs', 'points', 'visible', 'reference_index')
        values = {name: getattr(self, name) for name in names}
        return replace(self, **{k: v[:, images] for k, v in values.items() if v is not None})

    def to(self, device: str | torch.device) -> Episode:
        """Move all tensors to a device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(
            self,
            **{
                k: v.to(device, non_blocking=True)
                for k, v in tensors.items()
                if isinstance(v, Tensor)
            },
        )
