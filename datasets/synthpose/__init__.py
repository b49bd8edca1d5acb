"""SynthPose: a data set of MP-100's form that is drawn, for work without MP-100's images.

``writing`` draws the flat figures of SynthPose 1; ``rendered`` is SynthPose 2, of solid models.
"""

from .writing import SynthPoseCategory, synthpose_split, write_synthpose

__all__ = ['SynthPoseCategory', 'synthpose_split', 'write_synthpose']
