"""The public interface: training, testing, inference. Importing it registers our classes."""

from fmmp._requirements import require_openmmlab

require_openmmlab()  # before what follows fails for want of it

import fmmp.models.detectors.fmmp
import fmmp.models.heads.recurrent_mining_head
import fmmp.models.necks.feature_pyramid  # noqa: F401

from .model import init_model

__all__ = ['init_model']
