"""What is exported runs without FMMP and PyTorch, and finds what the model finds."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fmmp.apis import Estimator, estimate, init_model, read_image, read_support
from fmmp.apis.starter import starter_config
from fmmp.errors import InputError
from tests.extending import toys
from tests.methods import METHODS, small_model
from tests.tiny import tiny_config

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')
if tuple(map(int, torch.__version__.split('.')[:2])) < (2, 9):
    pytest.skip('exporting needs torch 2.9', allow_module_level=True)

from fmmp.export import exporting, programs
from fmmp.export.padding import network_padding

ALONE = """
import runpy, sys

sys.modules.update(dict.fromkeys(['torch', 'mmcv', 'mmpose', 'fmmp', 'PIL']))  # none is to be had
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def small_config(folder, **model):
    """A method on the toy backbone, which has one level."""
    config = tiny_config(folder)
    config.data.data_cfg.image_size = 32
    config.model.backbone = dict(type='ToyBackbone')
    config.merge_from_dict({f'model.{name}': value for name, value in model.items()})
    return config


@pytest.fixture(scope='module')
def pictures(make_dataset, tmp_path_factory):
    """A folder of four pictures of a category, each with its keypoint file."""
    folder = tmp_path_factory.mktemp('pictures')
    make_dataset(folder / 'data')
    content = json.loads((folder / 'data/unified.json').read_text())
    for number in range(4):
        annotation, image = content['annotations'][number], content['images'][number]
        file = {**annotation, 'skeleton': content['categories'][0]['skeleton']}
        (folder / f'{number}.json').write_text(json.dumps(file))
        (folder / 'data/images' / image['file_name']).rename(folder / f'{number}.jpg')
    return folder


def test_the_script_alone_finds_what_the_model_finds(pictures, tmp_path):
    config = starter_config(small_config(pictures / 'data'))
    config.model.backbone = dict(type='ToyBackbone')
    config.model.matcher = dict(learned=True)
    config.model.projection = str(tmp_path / 'projection.safetensors')
    save_file({'projection': torch.randn(3, 3)}, config.model.projection)
    config.data.data_cfg.image_size = 32
    model = init_model(config)
    exported = exporting.export(model, tmp_path / 'exported')
    assert exported['dynamic'] == ['queries', 'shots', 'keypoints']
    assert exported == json.loads((tmp_path / 'exported/model.json').read_text())
    names = [[f'{n}.jpg', f'{n}.json'] for n in range(2)]
    images, files = map(list, zip(*names, strict=True))
    queries = ['2.jpg', '3.jpg', '0.jpg']
    script = str(tmp_path / 'exported/run_onnx.py')
    arguments = ['--support', *images, '--keypoints', *files, '--queries', *queries]
    command = [sys.executable, '-c', ALONE, script, *arguments]
    result = subprocess.run(command, cwd=pictures, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    supports = [read_support(pictures / image, pictures / file) for image, file in names]
    expected = estimate(model, supports, [read_image(pictures / query) for query in queries])
    assert [*found] == queries
    assert np.array([*found.values()]) == pytest.approx(np.stack(expected), abs=1e-2)  # pixels
    assert np.ptp(expected, axis=0).max() > 0.1  # which are not the same in all queries

    program = {n: torch.export.load(tmp_path / f'exported/{n}.pt2') for n in ('support', 'query')}
    supports, imgs = programs.example(model, {'shots': 1, 'keypoints': 5, 'queries': 4})
    state = program['support'].module()(*supports.values())
    assert program['query'].module()(imgs, *state).shape == (4, 1, 5, 2)


COMPARING = {'local_match': (0.3, 0.1), 'own_weights': True, 'compare_samples': True}


@pytest.mark.parametrize(
    'options', [{}, {f'keypoint_head.{name}': value for name, value in COMPARING.items()}]
)
def test_fmmp_is_exported_for_any_number_of_shots_keypoints_and_queries(pictures, options):
    head = {'keypoint_head.initial_points': 'raw_matching', **options}
    model = init_model(small_config(pictures / 'data', **head))
    for mlp in model.keypoint_head.point_mlps:
        torch.nn.init.normal_(mlp[-1].weight, std=0.3)  # so that layers move points
    made = programs.make_programs(model)
    assert made.dynamic == ['queries', 'shots', 'keypoints']
    assert {'state.embed', 'state.matched.descriptors'} < set(made.query_inputs)
    for sizes in ((1, 12, 1), (3, 7, 2)):
        sizes = dict(zip(('shots', 'keypoints', 'queries'), sizes, strict=True))
        supports, imgs = programs.example(model, sizes, seed=1)
        with torch.no_grad():
            found = made.query.module()(imgs, *made.support.module()(*supports.values()))
            expected = model.predict(programs.as_episode(supports, imgs))[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_script_prepares_supports_as_testing_does(pictures, tmp_path, monkeypatch):
    from fmmp.export import run_onnx

    model = init_model(small_config(pictures / 'data'))
    (tmp_path / 'model.json').write_text(json.dumps(exporting.describe(model)))
    monkeypatch.setattr(run_onnx, '_session', lambda path, options: path.name)
    monkeypatch.setattr(run_onnx, '_run', lambda network, inputs: inputs)
    files = [(pictures / f'{n}.jpg', pictures / f'{n}.json') for n in range(2)]
    alone = run_onnx.Estimator(tmp_path, [run_onnx.read_support(*file) for file in files])

    encoded = {}
    monkeypatch.setattr(model, 'encode', lambda episode: encoded.update(vars(episode)))
    estimator = Estimator(model, [read_support(*file) for file in files])
    for whole in (False, True):
        estimator.encoded('whole' if whole else 'box')
        inputs = alone.state(whole)
        for name in ('imgs', 'points', 'visible', 'reference_index'):
            assert inputs[name] == pytest.approx(encoded[name][0].numpy(), abs=1e-5), name


class FixedKeypoints(toys.ToyMethod):
    """Has a weight a keypoint, of which there are twelve."""

    def __init__(self, **others):
        super().__init__(**others)
        self.scale = torch.nn.Parameter(torch.ones(12, 1))

    def encode_supports(self, features, supports):
        return {'points': super().encode_supports(features, supports) * self.scale}

    def decode(self, state, features):
        return super().decode(state['points'], features)


@pytest.fixture
def fixed(pictures):
    config = tiny_config(pictures / 'data')
    config.data.test.data_cfg.padding = 'zero'
    config.data.data_cfg.image_size = 32
    toys.POSENETS.register_module(FixedKeypoints, force=True)
    config.model = dict(type='FixedKeypoints', backbone=dict(type='ToyBackbone'))
    yield init_model(config)
    toys.POSENETS.module_dict.pop('FixedKeypoints')


def test_a_size_that_the_method_fixes_stays_and_the_others_are_dynamic(fixed):
    assert programs.make_programs(fixed).dynamic == ['queries', 'shots']


def test_nothing_is_written_where_the_export_differs_from_the_model(fixed, tmp_path, monkeypatch):
    programs = SimpleNamespace(support=0, query=0, support_inputs=[], query_inputs=[])
    monkeypatch.setattr(exporting, 'make_programs', lambda model: programs)
    monkeypatch.setattr(exporting, 'to_onnx', lambda *_: b'')
    monkeypatch.setattr(exporting, 'largest_difference', lambda *_: 2e-4)
    with pytest.raises(InputError, match='FixedKeypoints, exported, differs .* by 2.0e-04 of the'):
        exporting.export(fixed, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_images_that_the_script_could_not_prepare_are_refused(fixed, tmp_path):
    fixed.cfg.data.test.pipeline[-1] = dict(type='ToTensor')
    with pytest.raises(InputError, match='pipeline: .* and not by .*ToTensor'):
        exporting.export(fixed, tmp_path)
    fixed.cfg.data.test.data_cfg.padding = 'mixup'
    fixed.cfg.data.test.pipeline[-1] = dict(type='ToNormalizedTensor', mean=[0] * 3, std=[1] * 3)
    with pytest.raises(InputError, match="padding is 'mixup'"):
        exporting.export(fixed, tmp_path)
    fixed.cfg.data.test.data_cfg.update(padding='uniform', links='random')
    with pytest.raises(InputError, match="links is 'random'"):
        exporting.export(fixed, tmp_path)


@pytest.mark.parametrize('method', sorted(METHODS.keys() - {'FMMP', 'matching'}))  # see above
def test_every_other_method_is_exported_and_the_script_finds_what_it_finds(
    pictures, tmp_path, method
):
    from fmmp.export import run_onnx

    config = tiny_config(pictures / 'data')
    assert config.data.test.data_cfg.padding == 'uniform'
    model = small_model(method)
    model.cfg = config
    exported = exporting.export(model, tmp_path)
    assert exported['difference'] < 1e-4
    assert exported['padding'] == {'type': 'uniform'}
    files = [(pictures / f'{n}.jpg', pictures / f'{n}.json') for n in range(config.data.num_shots)]
    queries = [pictures / '2.jpg', pictures / '3.jpg']
    alone = run_onnx.Estimator(tmp_path, [run_onnx.read_support(*file) for file in files])
    found = alone([run_onnx.read_image(query) for query in queries])
    poses = Estimator(model, [read_support(*file) for file in files])(queries)
    assert found == pytest.approx(np.stack([pose.layers for pose in poses]), abs=2e-2)  # pixels


def test_a_method_that_leaves_padded_keypoints_out_is_exported_with_padding_by_zeros(small_dataset):
    model = small_model('CapeFormer')
    model.cfg = tiny_config(small_dataset)
    encode = model.encode_supports

    def of_own(maps, supports):
        if supports.num_keypoints is not None:
            number = torch.arange(supports.visible.shape[-1])
            own = number < supports.num_keypoints[:, None, None]
            supports = replace(supports, visible=supports.visible & own)
        return encode(maps, supports)

    model.encode_supports = of_own
    assert network_padding(model) == {'type': 'zero'}
