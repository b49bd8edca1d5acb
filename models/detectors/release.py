"""What a method's detector knows of the checkpoints that its authors released."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

State = dict[str, Tensor]


class Release(ABC):
    """Names of a release's tensors and ours; both ways account for every tensor."""

    @abstractmethod
    def is_released(self, state: State) -> bool:
        """Whether the names are the release's."""

    @abstractmethod
    def is_ours(self, state: State) -> bool:
        """Whether the names are ours, of the same method."""

    @abstractmethod
    def to_ours(self, state: State) -> State:
        """The release's weights with our names.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """

    @abstractmethod
    def to_released(self, state: State) -> State:
        """Our weights with the release's names.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """
