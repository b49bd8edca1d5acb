"""What install.sh answers where it cannot go on. Nothing is installed and no index is asked."""

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def install_sh(tmp_path):
    """Run a copy of install.sh, alone in its folder, and return its exit status and error."""
    script = shutil.copy(ROOT / 'install.sh', tmp_path)

    def run(*arguments, **variables):
        environment = {'PATH': os.environ['PATH'], 'PIP_NO_INDEX': '1', **variables}
        result = subprocess.run(
            ['bash', script, *arguments], env=environment, capture_output=True, text=True
        )
        return result.returncode, result.stderr

    return run


@pytest.fixture
def environment(tmp_path):
    """Make a virtual environment that has this one's packages, but other versions of some."""

    def make(**versions):
        folder = tmp_path / 'environment'
        venv.create(folder, symlinks=True)
        packages = next(folder.glob('lib/python*/site-packages'))
        (packages / 'these.pth').write_text(sysconfig.get_path('purelib'))
        for name, version in versions.items():
            metadata = packages / f'{name}-{version}.dist-info' / 'METADATA'
            metadata.parent.mkdir()
            metadata.write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        return str(folder)

    return make


def assert_one_line(error, *parts):
    assert len(error.splitlines()) == 1, error
    for part in parts:
        assert part in error


@pytest.mark.parametrize('arguments', [('--fast',), ('demo', '--fast')])
def test_an_unknown_argument_is_answered_with_the_usage(install_sh, arguments):
    status, error = install_sh(*arguments)
    assert status == 2
    assert error.startswith('usage: bash install.sh')


def test_a_python_that_is_too_old_is_refused_with_the_remedy(install_sh, tmp_path):
    status, error = install_sh(PYTHON='false')
    assert status == 1
    assert_one_line(error, 'Python 3.10 or newer', 'PYTHON=')
    assert not (tmp_path / '.venv').exists()


@pytest.mark.parametrize(
    ('name', 'version', 'wanted'), [('mmcv', '2.1.0', '1.3.8 to 1.7.0'), ('torch', '1.13.1', '2.0')]
)
def test_an_installed_version_out_of_range_is_refused_with_the_remedy(
    install_sh, environment, name, version, wanted
):
    status, error = install_sh(VIRTUAL_ENV=environment(**{name: version}))
    assert status == 1
    assert_one_line(error, f'{name} {version} is installed', wanted, 'deactivate')


def test_mmcv_full_is_refused_where_it_does_not_build(install_sh, environment):
    status, error = install_sh('--full', VIRTUAL_ENV=environment(torch='2.14.1'))
    assert status == 1
    assert_one_line(error, 'torch 2.0', 'cape_environment.yml', 'leave out --full')
