"""The CUDA sources: their kernels run on the CPU, and nvcc compiles them where it is."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from fmmp.models.ops.build import cuda_toolkit
from torch.utils import cpp_extension

from tests.models.ops.cases import random_inputs, results_and_gradients, sample_values

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / 'models/ops/csrc'


@pytest.fixture(scope='module')
def kernels(tmp_path_factory, compiler):
    library = tmp_path_factory.mktemp('kernels') / 'kernels.so'
    sources = ['-x', 'c++', '-I', CSRC, HERE / 'kernels_on_cpu.cpp']
    flags = ['-std=c++17', '-O1', '-shared', '-fPIC', '-Wall', '-Werror', '-Wno-unknown-pragmas']
    subprocess.run([compiler, *flags, *sources, '-o', library], check=True)
    return ctypes.CDLL(str(library))


def run_kernels(kernel, inputs, gradients, blocks, threads, lanes, by_value, accumulate):
    """Sampled, inside and the gradients of values, locations and weights."""
    value, levels, starts, locations, weights = inputs
    batch, queries, heads, num_levels, points = weights.shape
    sizes = [*value.shape[:2], *value.shape[2:], queries, heads, num_levels, points]
    like = {'dtype': value.numpy().dtype}
    results = [
        np.full((batch, queries, heads, value.shape[3]), np.nan, **like),
        np.full((batch, queries, heads), np.nan, **like),
        np.zeros(value.shape, accumulate),
        np.full(locations.shape, np.nan, **like),
        np.full(weights.shape, np.nan, **like),
    ]
    ints = [np.array(one, np.int64) for one in (sizes, levels, starts)]
    floats = [one.numpy() for one in (*gradients, value, locations, weights)]

    def pointers(arrays):
        assert all(array.flags.c_contiguous for array in arrays)
        return [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]

    kernel(
        *pointers(ints),
        ctypes.c_bool(by_value),
        ctypes.c_uint(blocks),
        ctypes.c_uint(threads),
        ctypes.c_int(lanes),
        *pointers(floats + results),
    )
    return [torch.from_numpy(one) for one in results]


@pytest.mark.parametrize(
    ('name', 'channels', 'lanes'),
    [
        ('double_1', 1, 1),
        ('double_1', 7, 8),
        ('double_1', 37, 32),
        ('double_2', 6, 4),
        ('double_2', 66, 32),
        ('float_4', 12, 4),
        ('float_4', 132, 32),
    ],
)
@pytest.mark.parametrize('shared', [True, False], ids=['shared values', 'values of each head'])
def test_the_cuda_kernels_compute_what_the_reference_does(kernels, name, channels, lanes, shared):
    dtype = torch.float32 if name.startswith('float') else torch.float64
    value, levels, starts, locations, weights = random_inputs(channels=channels, dtype=dtype)
    value = value[:, :, :1].contiguous() if shared else value
    bad = torch.tensor([float('nan'), float('inf'), -float('inf'), 3e38, -3e38, 1e10])
    locations.view(-1)[: 2 * len(bad) : 2] = bad.to(dtype)
    inputs = value, levels, starts, locations, weights
    sampled, inside, *expected = results_and_gradients(sample_values, inputs)
    gradients = torch.Generator().manual_seed(2)
    gradients = [
        torch.rand(one.shape, generator=gradients, dtype=torch.float64).to(dtype)
        for one in (sampled, inside)
    ]

    for blocks, by_value in ((1, True), (3, False)):
        results = run_kernels(
            kernels[name], inputs, gradients, blocks, 64, lanes, by_value, np.float64
        )
        for result, other in zip(results, [sampled, inside, *expected], strict=True):
            torch.testing.assert_close(result.to(dtype), other.detach())


def test_nvcc_compiles_the_cuda_ops_for_sm_80_and_sm_90(compiler, tmp_path):
    home, reason = cuda_toolkit(torch.version.cuda)
    if home is None:
        pytest.skip(reason)
    folders = [*cpp_extension.include_paths(), home / 'include']
    include = [word for folder in folders for word in ('-isystem', folder)]
    targets = [f'-gencode=arch=compute_{sm},code=sm_{sm}' for sm in (80, 90)]
    flags = ['--threads=2', '--expt-relaxed-constexpr', '-o', tmp_path / 'cuda.o']
    nvcc = [home / 'bin/nvcc', *targets, *flags, *include, '-c', CSRC / 'cuda_launch.cu']
    standard = '-std=c++20' if 'c++20' in Path(cpp_extension.__file__).read_text() else '-std=c++17'
    check = [compiler, standard, '-fsyntax-only', *include, CSRC / 'cuda.cpp']
    both = [subprocess.Popen(command) for command in (nvcc, check)]  # side by side
    assert [process.wait() for process in both] == [0, 0]
