"""Every config file stands for an experiment that can be built."""

import pytest
from fmmp.datasets import select_categories
from mmcv import Config
from mmpose.models import build_head

import fmmp.apis  # noqa: F401 (registers the classes)
from tests.tiny import ROOT

CONFIGS = sorted((ROOT / 'configs/fmmp').rglob('*.py'))


def load(name):
    return Config.fromfile(str(ROOT / 'configs/fmmp' / name))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_a_config_names_categories_apart_and_a_head_that_fits_its_neck(path):
    config = Config.fromfile(str(path))
    subsets = {s: config.data[s].valid_class_ids for s in ('train', 'val', 'test')}
    train, val, test = (set(select_categories(subsets[s])) for s in subsets)
    assert not train & (val | test)
    assert len(train | val | test) == 100
    head = build_head(config.model.keypoint_head)
    assert head.point_encoding.dims == config.model.neck.out_channels
    assert head.query_miners[0].fgsa.num_levels == len(config.model.neck.in_channels)
    assert len(config.model.backbone.out_indices) == len(config.model.neck.in_channels)


@pytest.mark.parametrize('shots', [1, 5])
@pytest.mark.parametrize('split', range(1, 6))
def test_each_split_has_a_config_for_each_number_of_shots(split, shots):
    data = load(f'{shots}shot/fmmp_r50_mp100_split{split}.py').data
    for subset, count in (('train', 70), ('val', 10), ('test', 20)):
        assert data[subset].num_shots == shots
        assert data[subset].valid_class_ids.split == split
        assert len(select_categories(data[subset].valid_class_ids)) == count


def test_the_ablation_rows_add_one_part_after_the_other():
    files = sorted((ROOT / 'configs/fmmp/ablations').glob('[1-5]_*.py'))
    rows = [Config.fromfile(str(file)) for file in files]
    heads = [build_head(row.model.keypoint_head) for row in rows]
    assert [head.support_miners is not None for head in heads] == [False, True, True, True, True]
    assert [head.structure for head in heads] == ['off', 'off', 'given', 'given', 'given']
    paddings = [row.data.train.data_cfg.padding for row in rows]
    assert paddings == ['zero', 'zero', 'zero', 'mixup', 'mixup']
    assert [row.data.test.data_cfg.padding for row in rows] == ['zero'] * 3 + ['uniform'] * 2
    assert [head.mix_loss_weight for head in heads] == [0, 0, 0, 0, 0.5]
