import json
import pickle
import tarfile

import numpy as np
import pytest
import torch
import torchvision
from fmmp.models.backbones.pretrained import load_pretrained
from fmmp.models.detectors.fmmp_release import FMMPRelease
from mmcv import Config
from mmpose.models import build_backbone, build_posenet

from fmmp.apis import init_model
from fmmp.checkpoints import (
    load_checkpoint_file,
    load_weights,
    save_atomically,
)
from fmmp.errors import CheckpointError, InputError
from tests.tiny import CONFIG
from tests.weights import DATA, released_state

RELEASE = FMMPRelease()


@pytest.fixture(scope='module')
def released():
    return released_state()


def test_conversion_there_and_back_keeps_every_released_tensor(released):
    back = RELEASE.to_released(RELEASE.to_ours(released))
    assert back.keys() == released.keys()
    assert all(torch.equal(back[name], released[name]) for name in released)


def test_a_model_exports_exactly_the_released_names_and_shapes():
    state = RELEASE.to_released(init_model(CONFIG).state_dict())
    listing = json.loads((DATA / 'released_state_dict.json').read_text())
    assert {n: list(v.shape) for n, v in state.items()} == dict(listing)


def test_a_released_tensor_without_counterpart_is_an_error(released):
    with pytest.raises(CheckpointError, match='predictor.surprise'):
        RELEASE.to_ours({**released, 'predictor.surprise': torch.zeros(1)})


def test_init_model_loads_released_and_own_checkpoints_alike(released, tmp_path):
    save_atomically({'meta': {'epoch': 200}, 'state_dict': released}, tmp_path / 'released.pth')
    first = init_model(CONFIG, tmp_path / 'released.pth')
    save_atomically({'state_dict': first.state_dict()}, tmp_path / 'ours.pth')
    second = init_model(CONFIG, tmp_path / 'ours.pth')
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert not second.training


class Malicious:
    def __reduce__(self):
        return (print, ('code ran while loading',))


def write_malicious(path):
    torch.save({'state_dict': Malicious()}, path)


def write_empty(path):
    path.write_bytes(b'')


def write_truncated(path):
    torch.save({'state_dict': {'a': torch.zeros(10000)}}, path)
    path.write_bytes(path.read_bytes()[:5000])


def write_pickle(path):
    path.write_bytes(pickle.dumps([1, 2]))


def write_text(path):
    path.write_bytes(b'hello world')


def write_script(path):
    torch.jit.script(torch.nn.ReLU()).save(path)


def write_tar(path):
    with tarfile.open(path, 'w') as archive:
        archive.addfile(tarfile.TarInfo('pickle'))


def write_damaged(path):
    path.write_bytes(b'q\x05')


BAD = [
    write_malicious,
    write_empty,
    write_truncated,
    write_pickle,
    write_text,
    write_damaged,
    write_script,
    write_tar,
]


@pytest.mark.parametrize('write', BAD)
def test_a_bad_checkpoint_is_refused_in_one_line_that_names_it(write, tmp_path, capsys):
    path = tmp_path / 'bad.pth'
    write(path)
    with pytest.raises(CheckpointError, match='bad.pth') as error:
        load_checkpoint_file(path)
    assert '\n' not in str(error.value)
    assert 'code ran' not in capsys.readouterr().out


def test_a_best_score_of_numpy_does_not_stand_in_the_way(tmp_path):
    if not hasattr(torch.serialization, 'safe_globals'):
        pytest.skip('torch before 2.5 lets no exceptions through')
    meta = {'hook_msgs': {'best_score': np.float64(0.5)}}
    torch.save({'meta': meta, 'state_dict': {'a': torch.ones(1)}}, tmp_path / 'scored.pth')
    assert load_checkpoint_file(tmp_path / 'scored.pth')['meta']['hook_msgs']['best_score'] == 0.5


def test_a_saved_file_has_the_permissions_that_new_files_have(tmp_path):
    save_atomically({}, tmp_path / 'checkpoint.pth')
    (tmp_path / 'plain').touch()
    modes = [(tmp_path / name).stat().st_mode for name in ('checkpoint.pth', 'plain')]
    assert modes[0] == modes[1]


def test_a_missing_checkpoint_is_named():
    with pytest.raises(CheckpointError, match='nowhere.pth: no such checkpoint'):
        load_checkpoint_file('nowhere.pth')


def test_weights_of_another_model_are_refused_and_listed(tmp_path):
    model = torch.nn.Linear(3, 2)
    save_atomically({'state_dict': {'weight': torch.zeros(2, 4)}}, tmp_path / 'other.pth')
    with pytest.raises(
        CheckpointError, match=r'1 missing: bias; .*weight \(2, 4\) instead of \(2, 3\)'
    ):
        load_weights(model, tmp_path / 'other.pth')


def test_bad_weights_of_a_backbone_are_refused_as_safely(tmp_path, capsys):
    write_malicious(tmp_path / 'bad.pth')
    with pytest.raises(CheckpointError, match='bad.pth: refused'):
        load_pretrained(build_backbone(dict(type='ResNet', depth=18)), str(tmp_path / 'bad.pth'))
    assert 'code ran' not in capsys.readouterr().out


def test_a_backbone_may_not_load_weights_by_itself():
    config = Config.fromfile(str(CONFIG))
    config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='weights.pth')
    with pytest.raises(InputError, match='model.backbone.init_cfg: .*model.pretrained'):
        build_posenet(config.model)


@pytest.mark.parametrize('names', [['a', 'b'], []])
def test_a_checkpoint_that_shares_no_name_with_the_model_is_an_error(names, tmp_path):
    path = tmp_path / 'foreign.pth'
    save_atomically({'state_dict': {name: torch.zeros(1) for name in names}}, path)
    listed = ', '.join(names) or 'none'
    resnet = build_backbone(dict(type='ResNet', depth=18))
    for load, model in ((load_weights, torch.nn.Linear(3, 2)), (load_pretrained, resnet)):
        with pytest.raises(CheckpointError, match=rf'foreign.pth .*none of the .*\({listed}\)'):
            load(model, str(path))


def test_files_of_torchs_older_format_are_read(tmp_path):
    weights = {'weight': torch.ones(2, 3), 'bias': torch.ones(2)}
    torch.save(weights, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    load_weights(torch.nn.Linear(3, 2), tmp_path / 'old.pth')


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / 'latest.pth'
    save_atomically({'epoch': 1}, path)
    with pytest.raises(Exception, match='pickle'):
        save_atomically({'epoch': lambda: 2}, path)
    assert load_checkpoint_file(path) == {'epoch': 1}
    assert [file.name for file in tmp_path.iterdir()] == ['latest.pth']


def test_a_torchvision_resnet_file_initialises_the_backbone(tmp_path):
    source = torchvision.models.resnet18()
    torch.save(source.state_dict(), tmp_path / 'resnet18.pth')
    backbone = build_backbone(dict(type='ResNet', depth=18))
    load_pretrained(backbone, str(tmp_path / 'resnet18.pth'))
    assert torch.equal(backbone.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


def test_an_official_swin_file_initialises_the_backbone(tmp_path):
    backbone = build_backbone(dict(type='SwinTransformer', depths=(2, 2, 2, 2)))
    backbone.init_weights()
    # The official names of MMPose's tensors, with a classifier on top.
    renames = {
        'stages.': 'layers.',
        'attn.w_msa.': 'attn.',
        'ffn.layers.0.0.': 'mlp.fc1.',
        'ffn.layers.1.': 'mlp.fc2.',
        'projection.': 'proj.',
    }
    official = {'norm.weight': torch.ones(768), 'head.weight': torch.ones(10, 768)}
    for name, value in backbone.state_dict().items():
        if name.startswith('norm'):
            continue
        for ours, theirs in renames.items():
            name = name.replace(ours, theirs)
        official[name] = value + 1 if value.is_floating_point() else value
    torch.save({'model': official}, tmp_path / 'swin.pth')
    before = backbone.stages[0].blocks[0].attn.w_msa.qkv.weight.clone()
    load_pretrained(backbone, str(tmp_path / 'swin.pth'))
    assert torch.equal(backbone.stages[0].blocks[0].attn.w_msa.qkv.weight, before + 1)
    del official['layers.0.blocks.0.attn.qkv.weight']
    torch.save({'model': official}, tmp_path / 'lacking.pth')
    with pytest.raises(CheckpointError, match='1 missing: stages.0.blocks.0.attn.w_msa.qkv'):
        load_pretrained(backbone, str(tmp_path / 'lacking.pth'))
