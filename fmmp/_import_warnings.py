"""Warnings that MMCV and torch give when they are imported and that tell a user nothing."""

import logging
import warnings

MMCV = (
    'On January 1, 2023, MMCV will release v2.0.0',  # MMPose 0.29 needs MMCV 1.x
    'Fail to import ``MultiScaleDeformableAttention``',  # of mmcv-full: FMMP has its own
)
TORCH = 'No CUDA runtime is found'  # FMMP says itself where it runs


def keep_out() -> None:
    """Keep these warnings out of the way, and no others."""
    for message in MMCV:
        warnings.filterwarnings('ignore', message)
    logging.getLogger('torch.utils.cpp_extension').addFilter(
        lambda record: not record.getMessage().startswith(TORCH)
    )
