"""A method as two networks of tensors: supports to a state, a state and images to points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fmmp.models.detectors.base import EpisodeDetector
from fmmp.models.episode import Episode


class SupportNetwork(nn.Module):
    """Encodes one episode's supports.

    Args:
        model: the detector.
        fields: what it reads of an `Episode` beside images, points and visibility.
    """

    def __init__(self, model: EpisodeDetector, fields: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.fields = fields

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors of `encode`'s state."""
        return tuple(tensors_of(self.encode(*inputs)).values())

    def encode(self, imgs: Tensor, points: Tensor, visible: Tensor, *others: Tensor) -> Any:
        """The state as the method has it.

        Args:
            imgs: (S, 3, H, W), normalised crops.
            points: (S, K, 2) in [0, 1].
            visible: (S, K) bool.
            others: the further fields, without their batch's axis.
        """
        further = {name: value[None] for name, value in zip(self.fields, others, strict=True)}
        episode = Episode(imgs[None], points[None], visible[None], num_queries=0, **further)
        features = [level[None] for level in self.model.image_features(imgs)]
        return self.model.encode_supports(features, episode)


class QueryNetwork(nn.Module):
    """Finds the keypoints of encoded supports in images.

    Args:
        model: the detector.
        state: such as it gets; what in it is no tensor is the same for all supports.
    """

    def __init__(self, model: EpisodeDetector, state: Any) -> None:
        super().__init__()
        self.model = model
        leaves, self.structure = pytree.tree_flatten(state)
        self.constants = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.is_tensor = [isinstance(leaf, Tensor) for leaf in leaves]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Each layer's points (Q, L, K, 2) in [0, 1]; the last layer's are the answer.

        Args:
            inputs: normalised crops (Q, 3, H, W), then the state's tensors.
        """
        imgs, *tensors = inputs
        given = iter(tensors)
        leaves = [
            next(given) if is_tensor else constant
            for is_tensor, constant in zip(self.is_tensor, self.constants, strict=True)
        ]
        state = pytree.tree_unflatten(leaves, self.structure)
        features = [level[None] for level in self.model.query_features(imgs)]
        return self.model.decode(state, features)[0]


def tensors_of(state: Any) -> dict[str, Tensor]:
    """The tensors of a state, by where they are in it, such as ``state.embed``."""
    leaves = pytree.tree_leaves_with_path(state)
    return {
        f'state{pytree.keystr(path)}': leaf for path, leaf in leaves if isinstance(leaf, Tensor)
    }
