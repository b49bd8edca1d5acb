"""Counts of parameters and operations."""

import pytest
from fmmp.models.ops import library

from fmmp.analysis.complexity import complexity, format_complexity, to_json
from fmmp.apis import init_model
from fmmp.errors import InputError
from tests.methods import METHODS
from tests.tiny import tiny_config

pytest.importorskip('torch.utils.flop_counter')


def wide_config(folder):
    """The tiny config with a ResNet-18 of the usual width."""
    config = tiny_config(folder)
    config.merge_from_dict({'model.backbone.base_channels': 64})
    return config


@pytest.fixture
def config(tmp_path):
    config = wide_config(tmp_path)
    config.merge_from_dict({'model.keypoint_head.num_layers': 1})
    return config


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """The counts of a tiny config of two layers, for five queries."""
    return complexity(wide_config(tmp_path_factory.getbasetemp()), num_queries=5)


def test_the_parameters_of_the_parts_are_all_of_the_model(found, tmp_path):
    *parts, total = found.parameters.values()
    model = init_model(wide_config(tmp_path))
    assert total == sum(parts) == sum(p.numel() for p in model.parameters())
    assert all(parts)


def test_the_neck_counts_its_convolutions_and_images_of_half_the_side_a_quarter(found, config):
    # two images of 64 pixels: maps of 8, 4 and 2
    assert found.pair['neck'] == 2 * 2 * 32 * (128 * 8**2 + 256 * 4**2 + 512 * 2**2)
    twice = complexity(config, 128)
    assert twice.pair['neck'] == 4 * found.pair['neck']
    assert twice.pair['backbone'] == 4 * found.pair['backbone']


@pytest.mark.parametrize('compiled', [True, False])
def test_a_miner_counts_its_attentions_and_networks(config, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(library, 'DEVICES', frozenset())
    elif 'meta' not in library.DEVICES:
        pytest.skip('no ops are compiled')
    K, N, D, H, M, LP, hidden = 12, 84, 32, 4, 2, 3 * 4, 32
    self_attention = 2 * K * 4 * D * D + 2 * 2 * K * K * D
    networks = 2 * (2 * 2 * K * D * hidden)
    offsets_and_weights = 2 * K * D * M * H * LP * 3
    if compiled:  # whole tokens are sampled, then projected to values
        values = 8 * K * M * H * LP * D + 2 * K * M * D * D
    else:  # all tokens are projected, then each head samples its channels
        values = 2 * N * M * D * D + 8 * K * M * LP * D
    output = 2 * K * M * D * D + 2 * K * (M - 1) * D * D
    expected = self_attention + networks + offsets_and_weights + values + output
    found = complexity(config)
    assert found.pair['query mining'] == found.pair['support mining'] == expected
    assert found.compiled == compiled


def test_an_episodes_supports_pass_the_backbone_once(found):
    for part, images in (('backbone', 6 / 2), ('neck', 6 / 2), ('query mining', 5)):
        assert found.episode[part] == images * found.pair[part]


def test_backward_takes_about_twice_forward_and_less_with_frozen_stages(found, config):
    training = found.training
    assert training['forward'] == found.pair['total']
    assert 1.7 < training['backward'] / training['forward'] < 2.3
    config.merge_from_dict({'model.keypoint_head.num_layers': 2, 'model.backbone.frozen_stages': 3})
    assert complexity(config).training['backward'] < training['backward']


def test_the_table_and_the_json_hold_every_part(found):
    text = format_complexity([found])
    assert '64 x 64 pixels' in text and '| support mining' in text and '5 queries' in text
    assert to_json([found])[0]['pair']['total'] == found.pair['total']


def test_a_size_that_is_no_multiple_of_32_is_refused(config):
    with pytest.raises(InputError, match='size 100: give a multiple of 32'):
        complexity(config, 100)


@pytest.mark.parametrize('method', METHODS)
def test_every_method_is_counted(method, tmp_path):
    config = wide_config(tmp_path)
    config.model = METHODS[method]
    config.data.data_cfg = dict(config.data.data_cfg, num_references=16)
    found = complexity(config)
    assert all(found.pair[part] > 0 for part in found.parameters if 'backbone' in part)
    assert found.episode['total'] > found.pair['total'] > 0
