"""Data: annotation file → instances → episodes → crops → padded keypoints → tensors → metrics.

The functions here need numpy alone; crops, OpenCV too. The data sets that OpenMMLab builds from
configs are in `fmmp.datasets.training` and `fmmp.datasets.evaluation`.
"""

from .annotations import Category, Instance, load_annotations
from .episodes import evaluation_pairs, training_tuples
from .padding import pad_keypoints
from .splits import cross_category, select_categories, split_categories
from .structure import structural_references

__all__ = [
    'Category',
    'Instance',
    'cross_category',
    'evaluation_pairs',
    'load_annotations',
    'pad_keypoints',
    'select_categories',
    'split_categories',
    'structural_references',
    'training_tuples',
]
