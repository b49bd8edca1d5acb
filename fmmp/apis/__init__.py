"""The public interface: training, testing, inference. Importing it registers our classes."""

from fmmp._requirements import require_openmmlab

require_openmmlab()  # before what follows fails for want of it

import fmmp.datasets.evaluation
import fmmp.datasets.training
import fmmp.models.backbones.timm_backbone
import fmmp.models.detectors.capeformer
import fmmp.models.detectors.feature_matching
import fmmp.models.detectors.fmmp
import fmmp.models.detectors.learned_matching
import fmmp.models.detectors.pomnet
import fmmp.models.detectors.pose_anything
import fmmp.models.heads.heatmap_matching_head
import fmmp.models.heads.recurrent_mining_head
import fmmp.models.heads.two_stage_head
import fmmp.models.necks.feature_pyramid  # noqa: F401

from .arguments import add_arguments, add_config_arguments, read_config, run
from .distributed import init_distributed
from .estimator import Estimator, Pose
from .images import read_image
from .inference import estimate
from .model import find_release, init_model
from .pictures import save_pictures
from .support import Support, read_support
from .test import format_report, test
from .train import train

__all__ = [
    'Estimator',
    'Pose',
    'Support',
    'add_arguments',
    'add_config_arguments',
    'estimate',
    'find_release',
    'format_report',
    'init_distributed',
    'init_model',
    'read_config',
    'read_image',
    'read_support',
    'run',
    'save_pictures',
    'test',
    'train',
]
