"""What a method's detector knows of the checkpoints that its authors released."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from fmmp.errors import CheckpointError

State = dict[str, Tensor]


class Release(ABC):
    """Names of a release's tensors and ours; both ways account for every tensor.

    Attributes:
        carried: beginnings of our names of tensors that conversions carry along, so that nothing is
            lost, and that no model reads.
    """

    carried: tuple[str, ...] = ()

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


def rename(name: str, prefixes: Sequence[tuple[str, str]]) -> str:
    """Replace the beginning of a tensor's name.

    Args:
        name: the name.
        prefixes: beginnings and what replaces them, of which the first that fits counts; ``{}``
            stands for a number, which is kept.

    Raises:
        CheckpointError: no beginning fits.
    """
    for old, new in prefixes:
        match = re.match(re.escape(old).replace(r'\{\}', r'(\d+)'), name)
        if match:
            return new.format(*match.groups()) + name[match.end() :]
    raise CheckpointError(f'{name} has no counterpart')
