"""Mistakes in settings end a training before it begins, in one line that names the way out."""

import argparse
import ast
import copy
import re

import pytest
from mmcv.runner import HOOKS, Hook
from mmpose.models import HEADS
from torch import nn

from fmmp.apis import add_arguments, read_config, train
from fmmp.apis.settings.building import building
from fmmp.apis.settings.checks import TOP_LEVEL, check_training
from fmmp.errors import InputError
from tests.apis.settings.mistakes import MISTAKES
from tests.tiny import CONFIG, ROOT, tiny_config


@pytest.fixture(scope='module')
def tiny(make_dataset, tmp_path_factory):
    """A config file of a training that works."""
    folder = tmp_path_factory.mktemp('settings')
    config = tiny_config(make_dataset(folder / 'data'))
    config.model.backbone.base_channels = 8
    config.custom_hooks = [dict(type='EmptyCacheHook')]
    path = folder / 'tiny.py'
    config.dump(str(path))
    return path


def read(path, *options):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = [str(path), *(['--cfg-options', *options] if options else [])]
    return read_config(parser.parse_args(arguments))


@pytest.mark.parametrize(('option', 'message'), MISTAKES, ids=[option for option, _ in MISTAKES])
def test_a_mistake_is_named_before_anything_is_written(option, message, tiny, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        config = read(tiny, option)
        config.work_dir = str(tmp_path / 'work')
        train(config, seed=0)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'work').exists()


def test_the_mistakes_are_mistakes(tiny):
    check_training(read(tiny))


def test_whoever_gives_no_value_is_told_by_the_command_line(tiny, capsys):
    with pytest.raises(SystemExit):
        read(tiny, 'total_epochs')
    assert "'total_epochs' is no KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(', 'config.py: .*never closed.*line 1'),
        ('total_epochs = 3\nlr = rate', "config.py: name 'rate' is not defined .*line 2"),
        ("custom_imports = dict(imports=['nowhere_at_all'])", 'config.py: .*nowhere_at_all'),
        ("_base_ = ['tiny.py']\nprecision = dict(a=1)", 'config.py: precision='),
    ],
)
def test_a_file_that_is_no_config_is_named(text, message, tiny, capfd):
    path = tiny.with_name('config.py')
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert '\n' not in str(error.value) and not capfd.readouterr().err


def test_a_helper_variable_of_a_config_is_warned_of_and_one_like_a_setting_refused(tiny):
    path = tiny.with_name('helper.py')
    path.write_text("_base_ = ['tiny.py']\nfolder = 'data'")
    with pytest.warns(UserWarning, match='nothing reads it: folder. .*`del folder`'):
        check_training(read(path))
    path.write_text("_base_ = ['tiny.py']\nlog_cfg = dict(interval=5)")
    with pytest.raises(InputError, match='log_cfg: no such setting; did you mean log_config'):
        check_training(read(path))


@HEADS.register_module()
class OpenHead(nn.Module):
    """A head of someone's own, which passes on what it does not know."""

    def __init__(self, embed_dims: int, **kwargs: object) -> None:
        super().__init__()


@HOOKS.register_module()
class CountingHook(Hook):
    """A hook of someone's own."""

    def __init__(self, every: int = 1) -> None:
        self.every = every


def test_classes_from_elsewhere_keep_the_settings_of_their_own(tiny):
    config = read(tiny)
    config.model.keypoint_head = dict(type='OpenHead', embed_dims=8, whatever=3)
    config.custom_hooks = [dict(type='CountingHook', every=2, priority='LOW')]
    check_training(config)
    config.custom_hooks[0]['evry'] = 2
    with pytest.raises(
        InputError, match='custom_hooks.0.evry: no such setting; did you mean every'
    ):
        check_training(config)


def test_what_a_constructor_raises_without_a_word_tells_where(tiny):
    config = read(tiny)
    settings = dict(type='OpenHead', embed_dims=8)
    with pytest.raises(InputError, match='model: .*KeyError at .*test_checks.py.*settings'):
        with building('model', config.model):
            settings['nothing']


NO_SETTINGS = {'optimizer.lrr', 'model.forward_points'} | {
    *('data.yaml', 'model.json', 'model.safetensors'),
}  # files, too


def recommended():
    """The settings that messages and documents name, such as ``data.train.num_shots``."""
    word = re.compile(rf'(?<![\w./-])((?:{"|".join(TOP_LEVEL)})(?:\.[\w*{{}},]+)+)')
    texts = [path.read_text() for path in (ROOT / 'README.md', *(ROOT / 'docs').glob('*.md'))]
    for folder in ('fmmp', 'datasets', 'models', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            nodes = ast.walk(ast.parse(path.read_text()))
            values = [node.value for node in nodes if isinstance(node, ast.Constant)]
            texts += [value for value in values if isinstance(value, str)]
    names = {name.rstrip('.,') for text in texts for name in word.findall(text)} - NO_SETTINGS
    for name in names:
        several = re.search(r'\{(.*)\}', name.replace('*', '{train,val,test}'))
        for one in several[1].split(',') if several else ['']:
            yield re.sub(r'\{.*\}|\*', one, name)


def test_every_setting_that_a_message_or_a_document_names_can_be_set():
    paths = [
        'fmmp/backbones/fmmp_dinov2_s_mp100_split1.py',
        'matching/learned_efficientnet_lite0_rendered.py',
        'matching/tuned_efficientnet_lite0_rendered.py',
        'pomnet/1shot/pomnet_r50_mp100_split1.py',
        'poseanything/1shot/poseanything_tiny_mp100_split1.py',
    ]
    configs = [read(CONFIG), *(read(ROOT / 'configs' / path) for path in paths)]
    names = sorted(set(recommended()))
    assert len(names) > 50
    for name in names:
        assert any(can_be_set(copy.deepcopy(config), name) for config in configs), name


def can_be_set(config, name):
    *parts, last = name.split('.')
    value = config
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value.get(part) or {}
    unset = {'model.backbone.norm_cfg.type': 'BN'}  # what has no None
    config.merge_from_dict({name: value.get(last, unset.get(name))})
    try:
        check_training(config)
    except InputError as error:
        return 'no such setting' not in str(error)
    return True
