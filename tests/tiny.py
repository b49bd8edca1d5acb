"""A model and a config small enough to train in a test."""

from pathlib import Path

from mmcv import Config

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py'


def tiny_config(dataset: Path, work_dir: Path | None = None) -> Config:
    """A narrow ResNet-18 and a small head on crops of 64 pixels, one epoch of four episodes."""
    config = Config.fromfile(str(CONFIG))
    files = {
        'ann_file': str(dataset / 'unified.json'),
        'img_prefix': str(dataset / 'images'),
        'valid_class_ids': None,
    }
    options = {f'data.{s}.{k}': v for s in ('train', 'val', 'test') for k, v in files.items()}
    options.update({f'data.{s}.num_queries': 2 for s in ('val', 'test')})
    options.update({f'data.{s}.num_episodes': 1 for s in ('train', 'val', 'test')})
    config.merge_from_dict(
        {
            **options,
            'data.data_cfg.image_size': 64,
            'data.data_cfg.num_keypoints': 12,
            'data.data_cfg.num_links': 12,
            'data.samples_per_gpu': 2,
            'data.workers_per_gpu': 0,
            'model.pretrained': None,
            'model.backbone.depth': 18,
            'model.backbone.base_channels': 16,
            'model.neck.out_channels': 32,
            'model.keypoint_head.num_branches': 2,
            'model.keypoint_head.num_heads': 4,
            'model.keypoint_head.num_layers': 2,
            'model.keypoint_head.hidden_dims': 32,
            'lr_config.warmup_iters': 1,
            'total_epochs': 1,
            'checkpoint_config.interval': 1,
            'evaluation.interval': 1,
            'log_config.interval': 1,
        }
    )
    config.work_dir = str(work_dir)
    return config
