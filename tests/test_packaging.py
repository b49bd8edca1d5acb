"""What is installed, from a wheel or from a clone, and how it says what is missing."""

import email
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import fmmp

ROOT = Path(__file__).resolve().parent.parent
UNAIDED_FAILS = {'chumpy', 'mmcv', 'mmcv-full', 'mmpose', 'xtcocotools'}
BLOCK_OPENMMLAB = "import sys; sys.modules.update(dict.fromkeys(['mmcv', 'mmpose', 'xtcocotools']))"
FORGET_EDITABLE = (
    "import sys; sys.meta_path = [one for one in sys.meta_path if 'ditable' not in str(one)]"
)
PURE_FUNCTIONS = """
import numpy as np
import fmmp.cli, fmmp.analysis.comparison, fmmp.analysis.copying
from fmmp.datasets import Instance, evaluation_pairs, pad_keypoints, structural_references
from fmmp.datasets.crop import center_and_scale, crop_image, crop_transform
from fmmp.datasets.metrics import copy_support, evaluate_pairs
from fmmp.models.ops import ms_deform_attn
import torch

box = 0, 0, 4, 4
transform = crop_transform(*center_and_scale(box), 8, rotation=90)
assert crop_image(np.ones((4, 4, 3), np.uint8), transform, 8).any()
pose = Instance(0, 1, 'x.jpg', box, np.ones((3, 2), np.float32), np.ones(3, bool))
pairs, instances = [[0, 0]], {0: pose}
assert evaluate_pairs(pairs, copy_support(pairs, instances), instances)['mPCK'] == [1]
assert evaluation_pairs({1: [4, 5]}, [1], 1, 1, 1) in ([[4, 5]], [[5, 4]])
points, visible, links = pad_keypoints(np.eye(2), np.ones(2, bool), [(0, 1)], 3, 'uniform')
assert points.tolist() == [[1, 0], [0, 1], [0.5, 0.5]]
index, hops = structural_references(visible, links, 2)
assert index[2].tolist() == [2, 0] and hops[2].tolist() == [0, 1]
value = torch.arange(4.0).view(1, 4, 1, 1)  # one level of 2 x 2, sampled in its middle
middle = torch.full((1, 1, 1, 1, 1, 2), 0.5)
assert ms_deform_attn(value, [(2, 2)], [0], middle, torch.ones(1, 1, 1, 1, 1)).item() == 1.5
"""
FORWARD = """
from pathlib import Path
import torch
import fmmp
from fmmp.apis import init_model
from fmmp.apis.starter import starter_config

folder = Path(fmmp.__file__).parent
model = init_model(folder / 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py')
shape = 1, 2, 70  # one episode, a support and a query, 70 keypoints
with torch.no_grad():
    points = model.forward_points(
        torch.rand(1, 2, 3, 64, 64),
        torch.rand(*shape, 2),
        torch.ones(shape, dtype=torch.bool),
        torch.arange(70).repeat(1, 2, 1)[..., None].repeat(1, 1, 1, 16),
    )
assert points.shape[2:] == (70, 2) and points.isfinite().all()
assert Path(starter_config().model.projection).is_file()
print(folder)
"""


def run_python(code, folder, **environment):
    """Run `code` with `folder` as the working directory."""
    return subprocess.run(
        [sys.executable, '-c', code],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': '', **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    """A copy of the repository without what building and running leave behind."""
    leftovers = shutil.ignore_patterns('.*', 'build', 'data', 'work_dirs', '*.egg-info', '*.so')
    return shutil.copytree(ROOT, tmp_path_factory.mktemp('clone') / 'fmmp', ignore=leftovers)


@pytest.fixture(scope='module')
def wheel(clone, tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    pip = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation']
    environment = {**os.environ, 'FMMP_OPS': '0'}  # the ops have tests of their own
    subprocess.run([*pip, '--no-index', '--wheel-dir', folder, clone], check=True, env=environment)
    return next(folder.glob('fmmp-*.whl'))


@pytest.fixture(scope='module')
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith('.dist-info/METADATA'))
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope='module')
def requirements(metadata):
    """The requirements that `pip install fmmp` installs too."""
    all_of_them = map(Requirement, metadata.get_all('Requires-Dist'))
    return [one for one in all_of_them if one.marker is None]


def test_the_wheel_holds_every_module_config_and_data_file_under_fmmp_and_nothing_else(wheel):
    expected = {path.relative_to(ROOT).as_posix() for path in ROOT.glob('fmmp/**/*.py')}
    expected |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob('fmmp/app/static/*')}
    kinds = [
        ('models', 'py'),
        ('configs', 'safetensors'),
        *product(('datasets', 'configs'), ('py', 'json')),
    ]
    for folder, suffix in kinds:
        paths = ROOT.glob(f'{folder}/**/*.{suffix}')
        expected |= {f'fmmp/{path.relative_to(ROOT).as_posix()}' for path in paths}

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if '.dist-info/' not in name}
    assert held == expected
    assert 'fmmp/datasets/mp100_splits.json' in held


def test_the_wheel_works_outside_the_repository(wheel, tmp_path):
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index']
    subprocess.run([*pip, '--target', tmp_path / 'installed', wheel], check=True)
    result = run_python(FORWARD, tmp_path, PYTHONPATH=str(tmp_path / 'installed'))
    assert result.stdout.strip() == str(tmp_path / 'installed/fmmp'), result.stderr


def test_the_wheel_carries_the_version_of_the_package(metadata):
    assert metadata['Version'] == fmmp.__version__


def test_the_metadata_names_nothing_that_pip_cannot_install_unaided(requirements):
    assert requirements
    assert not UNAIDED_FAILS & {requirement.name for requirement in requirements}


def test_the_conda_environment_provides_what_the_metadata_asks_for(metadata, requirements):
    environment = yaml.safe_load((ROOT / 'cape_environment.yml').read_text())
    *conda, pip = environment['dependencies']
    python = next(spec.removeprefix('python=') for spec in conda if spec.startswith('python='))
    assert SpecifierSet(metadata['Requires-Python']).contains(python)

    held = {canonicalize_name(one.name): one.specifier for one in map(Requirement, pip['pip'])}
    asked = {canonicalize_name(one.name): one.specifier for one in requirements}
    assert not asked.keys() - held.keys()
    for name in ('torch', 'torchvision'):
        assert asked[name].contains(str(held[name]).removeprefix('=='))


@pytest.mark.parametrize(
    ('before', 'part'),
    [
        ('pass', f'fmmp.models from {ROOT}/models'),
        (FORGET_EDITABLE, 'no fmmp.models is found'),
    ],
    ids=['another clone is', 'none is'],
)
def test_a_clone_that_is_not_installed_says_so(clone, before, part):
    result = run_python(f'{before}\nimport fmmp', clone)
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith(f'ImportError: fmmp is taken from {clone}/fmmp, and {part}: {clone} is')
    assert 'bash install.sh' in error


def test_a_script_without_the_package_says_how_to_install_it():
    scripts = sorted(map(str, [*ROOT.glob('tools/*.py'), *ROOT.glob('tools/*/*.py')]))
    code = f"""
import runpy, sys, traceback
sys.modules.update(fmmp=None, torch=sys)
for script in {scripts}:
    sys.path.insert(0, '')
    try:
        runpy.run_path(script)
    except ImportError:
        print('bash install.sh' in traceback.format_exc())
"""
    result = run_python(code, ROOT)
    assert result.stdout.split() == ['True'] * len(scripts), result.stderr


@pytest.mark.parametrize('name', ['fmmp', 'tools', 'tests', 'setup'])
def test_the_package_holds_nothing_else_of_the_clone(name):
    assert find_spec(f'fmmp.{name}') is None


@pytest.mark.parametrize('code', ['import fmmp', PURE_FUNCTIONS], ids=['fmmp', 'pure functions'])
def test_what_needs_no_openmmlab_works_without_it(code):
    result = run_python(f'{BLOCK_OPENMMLAB}\n{code}', ROOT)
    assert result.returncode == 0, result.stderr


def test_the_public_interface_says_in_one_line_how_to_get_openmmlab():
    result = run_python(f'{BLOCK_OPENMMLAB}\nimport fmmp.apis', ROOT)
    assert result.returncode == 1
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith('ImportError') and 'mmcv' in error and 'bash install.sh' in error
