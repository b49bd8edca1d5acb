"""Every config file stands for an experiment that can be built."""

import logging

import pytest
from fmmp.datasets import select_categories
from fmmp.datasets.synthpose import synthpose_split
from fmmp.models.backbones.building import stage_channels
from mmcv import Config
from mmcv.runner import EpochBasedRunner, build_optimizer
from mmpose.models import build_head
from torch import nn

from fmmp.apis import init_model
from fmmp.apis.data import subset_config
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
    config.model.backbone.update(dict(depth=18) if 'depth' in config.model.backbone else {})
    config.model.backbone.pop('weights', None)  # they may not be on this machine
    model = init_model(config)
    head, neck = model.keypoint_head, config.model.neck
    assert head.point_encoding.dims == neck.out_channels
    assert head.query_miners[0].fgsa.num_levels == len(stage_channels(model.backbone))


@pytest.mark.parametrize(
    'method', ['fmmp_r50', 'capeformer_r50', 'pomnet_r50', 'poseanything_small_base']
)
@pytest.mark.parametrize('shots', [1, 5])
@pytest.mark.parametrize('split', range(1, 6))
def test_each_split_has_a_config_for_each_number_of_shots(method, split, shots):
    folder = method.split('_')[0]
    config = load(f'../{folder}/{shots}shot/{method}_mp100_split{split}.py')
    data = config.data
    for subset, count in (('train', 70), ('val', 10), ('test', 20)):
        assert subset_config(config, subset)['num_shots'] == shots
        assert data[subset].valid_class_ids.split == split
        assert len(select_categories(data[subset].valid_class_ids)) == count


@pytest.mark.parametrize('folder', ['capeformer', 'pomnet'])
def test_another_methods_configs_name_categories_apart_and_pad_by_zeros(folder):
    paths = sorted((ROOT / 'configs' / folder).rglob('*.py'))
    assert len(paths) == 14
    for path in paths:
        data = Config.fromfile(str(path)).data
        train, val, test = (
            set(select_categories(data[subset].valid_class_ids))
            for subset in ('train', 'val', 'test')
        )
        assert not train & (val | test) and len(train | val | test) == 100
        assert {data[subset].data_cfg.padding for subset in ('train', 'val', 'test')} == {'zero'}


def test_pomnet_is_trained_by_its_official_schedule():
    config = load('../pomnet/5shot/pomnet_r50_mp100_split3.py')
    assert config.optimizer == dict(type='Adam', lr=5e-4)
    expected = dict(warmup='linear', warmup_iters=500, warmup_ratio=0.001, step=[170, 200])
    assert expected.items() <= config.lr_config.items() and config.total_epochs == 210
    assert config.evaluation == dict(interval=10, save_best='PCK@0.2')
    assert config.data.data_cfg == dict(image_size=256, num_keypoints=100, num_references=0)


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


def test_the_learning_rate_warms_up_and_drops_as_the_release_has_it():
    config = load('1shot/fmmp_r50_mp100_split1.py')
    model = nn.Linear(1, 1)
    model.train_step = None  # the runner asks that there is one
    runner = EpochBasedRunner(
        model, optimizer=build_optimizer(model, config.optimizer), logger=logging.getLogger()
    )
    runner._max_epochs = config.total_epochs
    runner.register_lr_hook(config.lr_config)
    hook = runner.hooks[0]
    hook.before_run(runner)

    def rate(epoch, iteration):
        runner._epoch, runner._iter = epoch, iteration
        hook.before_train_epoch(runner)
        hook.before_train_iter(runner)
        return runner.current_lr()[0]

    assert rate(0, 0) == pytest.approx(1e-7)
    assert rate(0, 500) == pytest.approx(0.5005 * 1e-4)
    assert rate(1, 1000) == pytest.approx(1e-4)
    assert rate(159, 50000) == pytest.approx(1e-4)
    assert rate(160, 50001) == pytest.approx(1e-5)
    assert rate(180, 60000) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ('folder', 'categories'), [('_base_/datasets', 60), ('demo', 240)], ids=['base', 'demo']
)
def test_a_synthpose_config_names_the_categories_of_its_split(folder, categories):
    data = Config.fromfile(str(ROOT / f'configs/{folder}/synthpose.py')).data
    named = {subset: data[subset].valid_class_ids for subset in ('train', 'val', 'test')}
    assert named == synthpose_split(categories)


@pytest.mark.parametrize('name', ['demo/synthpose.py', 'fmmp/1shot/fmmp_r50_mp100_split1.py'])
def test_options_that_the_documentation_names_can_be_set_on_the_command_line(name):
    config = Config.fromfile(str(ROOT / 'configs' / name))
    options = {
        'auto_scale_lr.enable': True,
        'optimizer_config.cumulative_iters': 4,
        'optimizer_config.grad_clip.max_norm': 1.0,
        'model.backbone.frozen_stages': 1,
        'non_finite_loss.action': 'skip',
    }
    config.merge_from_dict(options)
    assert config.optimizer_config == dict(cumulative_iters=4, grad_clip=dict(max_norm=1.0))
