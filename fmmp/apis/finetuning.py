"""Fine-tuning on a few annotated pictures of one's own category."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmcv import Config

from fmmp.errors import InputError
from fmmp.files import write_json

from .data import subset_config
from .images import image_pixels
from .starter import STARTER, is_trained
from .support import read_support
from .work_dir import require_own_checkpoints

PICTURES = 'pictures.json'


def finetuning_config(
    config: Config,
    checkpoint: str | Path,
    pictures: Sequence[str | Path],
    folder: str | Path,
    epochs: int = 10,
    learning_rate: float = 1e-4,
) -> Config:
    """A config that trains a checkpoint further on annotated pictures; `train` takes it.

    An epoch is 64 episodes, drawn from the pictures. Writes the pictures' annotations into
    ``folder``, which is also the training's work directory.

    Args:
        config: that the checkpoint was trained with.
        checkpoint: where to start from.
        pictures: annotated images of one category, each with its keypoint file beside it.
        folder: of the training.
        epochs: how long to train.
        learning_rate: at the start; it falls to zero along a cosine.

    Raises:
        OSError: a picture or its keypoint file is missing.
        InputError: there are fewer pictures than an episode has, or they are not of one category;
            or the model is not fine-tuned, as the starter is not; or the folder holds a training.
    """
    if str(checkpoint) == STARTER or not is_trained(config):
        raise InputError(
            'the starter is not fine-tuned: give it all pictures as shots, tools/estimate.py '
            'cat_*.jpg pictures/, which gains more than training does; or fine-tune a checkpoint '
            'that was trained, such as that of tools/train.py configs/demo/synthpose.py'
        )
    shots = subset_config(config, 'train')['num_shots']
    if len(pictures) <= shots:
        raise InputError(f'{len(pictures)} pictures: an episode takes {shots + 1} at least')
    folder = Path(folder)
    require_own_checkpoints(folder, way_out='name another folder, or remove this one')
    paths = [Path(path).resolve() for path in pictures]
    prefix = Path(os.path.commonpath([path.parent for path in paths]))
    write_json(annotations_of(paths, prefix), folder / PICTURES)
    source = {
        'ann_file': str(folder / PICTURES),
        'img_prefix': str(prefix),
        'valid_class_ids': None,
        'num_episodes': 64,
        'skeleton_base': 0,  # the pictures' own links, as their keypoint files count them
        'skeleton_file': None,
    }
    tuned = Config(config._cfg_dict.copy(), filename=config.filename)
    tuned.merge_from_dict({f'data.train.{name}': value for name, value in source.items()})
    tuned.optimizer.lr = learning_rate
    tuned.lr_config = dict(
        policy='CosineAnnealing',
        by_epoch=False,
        min_lr=0,
        warmup='linear',
        warmup_iters=4,
        warmup_ratio=0.1,
    )
    tuned.load_from, tuned.resume_from = str(checkpoint), None
    tuned.total_epochs, tuned.work_dir = epochs, str(folder)
    tuned.checkpoint_config = dict(interval=1, max_keep_ckpts=1)
    return tuned


def annotations_of(pictures: Sequence[Path], prefix: Path) -> dict:
    """An annotation file's content, of pictures with their keypoint files beside them.

    Args:
        pictures: annotated images.
        prefix: the folder that the file's image paths start from.

    Raises:
        OSError: a picture or its keypoint file is missing.
        InputError: they differ in their number of keypoints or their skeleton.
    """
    images, annotations = [], []
    supports = [read_support(path, path.with_suffix('.json')) for path in pictures]
    first = supports[0]
    for number, (path, support) in enumerate(zip(pictures, supports, strict=True), start=1):
        if [*map(list, support.skeleton)] != [*map(list, first.skeleton)] or len(
            support.keypoints
        ) != len(first.keypoints):
            raise InputError(
                f'{path} and {pictures[0]} differ in their number of keypoints or their skeleton'
            )
        height, width = image_pixels(support.image).shape[:2]
        file = path.relative_to(prefix).as_posix()
        images.append({'id': number, 'file_name': file, 'width': width, 'height': height})
        box = (0, 0, width, height) if support.box is None else support.box
        shown = 2 * support.visible.astype(int)
        table = zip(support.keypoints.tolist(), shown.tolist(), strict=True)
        annotations.append(
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'bbox': [float(value) for value in box],
                'area': float(box[2] * box[3]),
                'iscrowd': 0,
                'keypoints': [value for (x, y), v in table for value in (x, y, v)],
                'num_keypoints': int(support.visible.sum()),
            }
        )
    category = {
        'id': 1,
        'name': 'own',
        'keypoints': [str(number) for number in range(len(first.keypoints))],
        'skeleton': [list(link) for link in first.skeleton],
    }
    return {'images': images, 'annotations': annotations, 'categories': [category]}
