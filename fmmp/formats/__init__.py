"""Keypoints in the formats of other tools, both ways. Needs no OpenMMLab."""

from .files import FORMATS, read, recognise, write
from .labels import Labelled, Labels

__all__ = ['FORMATS', 'Labelled', 'Labels', 'read', 'recognise', 'write']
