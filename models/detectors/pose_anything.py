"""PoseAnything (GraphCape), the method."""

from __future__ import annotations

from mmpose.models.builder import POSENETS

from .capeformer import CapeFormer
from .pose_anything_release import PoseAnythingRelease


@POSENETS.register_module()
class PoseAnything(CapeFormer):
    """CapeFormer whose decoder convolves over the category's skeleton.

    Hirschorn and Avidan, "A Graph-Based Approach for Category-Agnostic Pose Estimation", ECCV 2024.
    Backbone, map and encodings differ, too; the config says how.

    Args:
        backbone: see `CapeFormer`.
        keypoint_head: see `CapeFormer`.
        others: further arguments of `CapeFormer`.
    """

    batches_apart = False
    release = PoseAnythingRelease()
