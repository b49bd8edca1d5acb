import os
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[3] / 'models/ops/build.py'
ARGUMENTS = f"import runpy; print(runpy.run_path({str(BUILD)!r})['setup_arguments']())"
NO_TORCH = f"import sys; sys.modules['torch'] = None; {ARGUMENTS}"


def run(code, **environment):
    environment = {**os.environ, 'FMMP_OPS': '', **environment}
    return subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, cwd='/'
    )


def test_a_build_that_has_no_torch_gives_pure_python_and_says_so():
    result = run(NO_TORCH)
    assert result.stdout.strip() == '{}', result.stderr
    assert 'not compiled' in result.stderr and '--no-build-isolation' in result.stderr


def test_a_build_without_a_compiler_gives_pure_python_with_one_clear_warning():
    result = run(ARGUMENTS, CXX='no-such-compiler')
    assert result.stdout.strip() == '{}', result.stderr
    said = [line for line in result.stderr.splitlines() if line.startswith('fmmp:')]
    assert len(said) == 1 and 'no C++ compiler no-such-compiler' in said[0]


def test_fmmp_ops_0_compiles_nothing():
    result = run(ARGUMENTS, FMMP_OPS='0')
    assert result.stdout.strip() == '{}' and not result.stderr


@pytest.mark.parametrize('wanted', ['cpu', 'cuda'])
def test_what_is_asked_for_and_cannot_be_compiled_is_an_error(wanted):
    result = run(NO_TORCH, FMMP_OPS=wanted)
    assert result.returncode == 1
    assert f'FMMP_OPS={wanted}' in result.stderr and 'torch' in result.stderr


def test_cuda_is_an_error_where_nvcc_is_missing(tmp_path):
    result = run(ARGUMENTS, FMMP_OPS='cuda', CUDA_HOME=str(tmp_path))
    assert result.returncode == 1
    assert 'FMMP_OPS=cuda' in result.stderr and 'CUDA' in result.stderr


def test_another_word_in_fmmp_ops_is_an_error():
    result = run(ARGUMENTS, FMMP_OPS='yes')
    assert result.returncode == 1 and 'expected 0, cpu or cuda' in result.stderr
