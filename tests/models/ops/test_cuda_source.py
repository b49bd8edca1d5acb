"""The CUDA sources: their kernels run on the CPU, and nvcc compiles them where it is."""

import ctypes
import re
import subprocess
from pathlib import Path

import pytest
import torch
from fmmp.models.ops.build import cuda_toolkit
from torch.testing import assert_close
from torch.utils import cpp_extension

from tests.models.ops.cases import random_inputs, results_and_gradients, sample_values

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / 'models/ops/csrc'
SPARE = 999  # numbers around a tensor that no kernel may read or write
TOLERANCES = {torch.float16: (2e-3, 2e-3), torch.bfloat16: (2e-2, 2e-2)}


OPTIONS = ('by_value', 'processors', 'atomics', 'packed', 'wide')
POINTERS = ('shapes', 'starts', 'locations', 'weights', 'grad_sampled', 'grad_inside', 'value')
POINTERS += ('sampled', 'inside', 'grad_value', 'grad_locations', 'grad_weights', 'rows')
POINTERS += ('corner_weights',)


class Call(ctypes.Structure):
    """See kernels_on_cpu.cpp."""

    _fields_ = [
        ('sizes', ctypes.c_int64 * 8),
        *((name, ctypes.c_int64) for name in OPTIONS),
        *((name, ctypes.c_void_p) for name in POINTERS),
    ]


@pytest.fixture(scope='module')
def kernels(tmp_path_factory, compiler):
    library = tmp_path_factory.mktemp('kernels') / 'kernels.so'
    folders = ['-isystem', cpp_extension.include_paths()[0], '-I', CSRC, '-I', HERE / 'cuda_on_cpu']
    flags = ['-std=c++17', '-O1', '-shared', '-fPIC', '-Wall', '-Werror', '-Wno-psabi']
    flags += ['-Wno-unknown-pragmas', '-x', 'c++', HERE / 'kernels_on_cpu.cpp', '-o', library]
    subprocess.run([compiler, *folders, *flags], check=True)
    return ctypes.CDLL(str(library))


def surrounded(tensor, filler, shift=0):
    """A copy with spare numbers before and after it, its first number `shift` numbers off 64 bytes.

    Returns:
        The copy, and a function that asserts that the spare numbers are untouched.
    """
    room = torch.full((tensor.numel() + 2 * SPARE + 64,), filler, dtype=tensor.dtype)
    start = SPARE
    while (room[start:].data_ptr() - shift * room.element_size()) % 64:
        start += 1
    copy = room[start : start + tensor.numel()].view(tensor.shape).copy_(tensor)

    def check():
        rest = torch.cat((room[:start], room[start + tensor.numel() :]))
        assert_close(rest, torch.full_like(rest, filler), rtol=0, atol=0, equal_nan=True)

    return copy, check


def run_kernels(
    kernels,
    inputs,
    gradients,
    by_value=True,
    processors=0,
    atomics=False,
    packed=False,
    wide=False,
    deterministic=False,
    shift=0,
):
    """Sampled, inside and the gradients of values, locations and weights, as cuda.cpp has them."""
    value, levels, starts, locations, weights = inputs
    dtype = value.dtype
    sums = torch.promote_types(dtype, torch.float32)
    corners = 4 * weights.numel()
    value, _ = surrounded(value, float('nan'), shift)
    grad_sampled, _ = surrounded(gradients[0], float('nan'), shift)
    grad_value, check_grad_value = surrounded(torch.zeros(value.shape, dtype=sums), 7)
    tensors = {
        'shapes': torch.tensor(levels).view(-1, 2),
        'starts': torch.tensor(starts),
        'locations': locations,
        'weights': weights,
        'grad_sampled': grad_sampled,
        'grad_inside': gradients[1],
        'value': value,
        'sampled': surrounded(torch.full_like(grad_sampled, float('nan')), 7, shift)[0],
        'inside': torch.full_like(gradients[1], float('nan')),
        'grad_value': grad_value,
        'grad_locations': torch.full_like(locations, float('nan')),
        'grad_weights': torch.full_like(weights, float('nan')),
        'rows': torch.full((corners,), -1, dtype=torch.int64 if wide else torch.int32),
        'corner_weights': torch.full((corners,), float('nan'), dtype=sums),
    }
    assert all(one.is_contiguous() for one in tensors.values())
    call = Call(
        (ctypes.c_int64 * 8)(*value.shape, *weights.shape[1:]),
        *(by_value, processors, atomics, packed, wide),
        *(tensors[name].data_ptr() for name in POINTERS),
    )
    name = str(dtype).removeprefix('torch.')
    kernels[name](ctypes.byref(call))
    if deterministic:
        rows, order = tensors['rows'].sort(stable=True)
        firsts = torch.searchsorted(rows, torch.arange(value.shape[:3].numel() + 1).to(rows))
        arguments = ctypes.c_void_p(firsts.data_ptr()), ctypes.c_void_p(order.data_ptr())
        kernels[f'{name}_value_backward_sorted'](ctypes.byref(call), *arguments)
    else:
        kernels[f'{name}_value_backward'](ctypes.byref(call))
    check_grad_value()
    wanted = ('sampled', 'inside', 'grad_value', 'grad_locations', 'grad_weights')
    return [tensors[one] for one in wanted]


def check_kernels(kernels, inputs, **options):
    """Asserts that the kernels compute what the reference does, in float64."""
    inputs = list(inputs)
    as_double = [one.double() if isinstance(one, torch.Tensor) else one for one in inputs]
    sampled, inside, *expected = results_and_gradients(sample_values, as_double)
    generator = torch.Generator().manual_seed(2)  # as results_and_gradients draws them
    gradients = [
        torch.rand(one.shape, generator=generator, dtype=torch.float64).to(inputs[0].dtype)
        for one in (sampled, inside)
    ]
    results = run_kernels(kernels, inputs, gradients, **options)
    rtol, atol = TOLERANCES.get(inputs[0].dtype, (None, None))
    for result, other in zip(results, [sampled, inside, *expected], strict=True):
        if rtol is None:
            assert_close(result, other.detach().to(result.dtype))
        else:
            scale = max(other.detach().abs().max().item(), 1) if other.numel() else 1
            assert_close(result.double(), other.detach(), rtol=rtol, atol=atol * scale)
    return results


def hostile(inputs):
    """The inputs with locations that are no places, an odd one or a huge one."""
    bad = torch.tensor([float('nan'), float('inf'), -float('inf'), 3e38, -3e38, 1e10])
    inputs[3].view(-1)[: 2 * len(bad) : 2] = bad.to(inputs[3].dtype)
    return inputs


WAYS = {
    'plain': {},
    'levels on the device, many blocks': {'by_value': False, 'processors': 1},
    '64 bits': {'wide': True},
    'vector atomics': {'atomics': True},
    'deterministic': {'deterministic': True},
    'deterministic in 64 bits, many blocks': {'deterministic': True, 'wide': True, 'processors': 1},
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize(
    ('dtype', 'channels', 'packed'),
    [
        (torch.float64, 1, False),
        (torch.float64, 37, False),
        (torch.float64, 6, True),
        (torch.float32, 7, False),
        (torch.float32, 12, True),
        (torch.float32, 132, True),
        (torch.float16, 40, True),
        (torch.bfloat16, 264, True),
    ],
)
def test_the_cuda_kernels_compute_what_the_reference_does(kernels, dtype, channels, packed, way):
    for shared in (True, False):
        value, *rest = hostile(random_inputs(channels=channels, dtype=dtype))
        value = value[:, :, :1] if shared else value
        check_kernels(kernels, (value, *rest), packed=packed, **WAYS[way])


@pytest.mark.parametrize('deterministic', [False, True])
def test_the_cuda_kernels_take_more_samples_than_a_team_has_lanes(kernels, deterministic):
    for channels, points in ((3, 5), (33, 13)):
        inputs = random_inputs(channels=channels, points=points)
        check_kernels(kernels, inputs, deterministic=deterministic)


def test_the_cuda_kernels_take_addresses_that_fit_no_vector(kernels):
    for dtype in (torch.float32, torch.bfloat16):
        inputs = random_inputs(channels=8, dtype=dtype)
        check_kernels(kernels, inputs, packed=False, atomics=True, shift=1)


@pytest.mark.parametrize('sizes', [{'queries': 0}, {'batch': 0}, {'points': 0}, {'levels': ()}])
def test_the_cuda_kernels_take_sizes_of_zero(kernels, sizes):
    for deterministic in (False, True):
        value, levels, starts, locations, weights = random_inputs(**{'levels': ((2, 2),), **sizes})
        gradients = torch.ones(*weights.shape[:3], value.shape[-1]), torch.ones(weights.shape[:3])
        gradients = [one.double() for one in gradients]
        arguments = value, levels, starts, locations, weights
        for one in run_kernels(kernels, arguments, gradients, deterministic=deterministic):
            assert (one == 0).all()


@pytest.mark.parametrize(
    ('levels', 'starts'),
    [
        (((0, 3), (4, 4), (1, 0)), (0, 6, 22)),  # of no tokens
        (((2, 3), (4, 4), (1, 5)), (0, 6, 23)),  # one token too late
        (((2, 3), (400, 400), (1, 5)), (0, 6, 22)),
        (((2, 3), (4, 4), (1, 5)), (-3, 10**6, 2**40)),
        (((-2, -3), (2**31, 2**31), (2**62, 2**62)), (0, 2**31 - 1, 2**63 - 1)),
    ],
)
def test_wrong_levels_on_the_device_read_and_write_nothing_but_the_tokens(kernels, levels, starts):
    value, _, _, locations, weights = random_inputs(dtype=torch.float32, channels=4)
    gradients = torch.ones(*weights.shape[:3], 4), torch.ones(weights.shape[:3])
    inputs = value, levels, starts, locations, weights
    for way in ({}, {'wide': True}, {'deterministic': True}, {'atomics': True}):
        # What surrounds the values is not a number, what surrounds their gradient is checked.
        results = run_kernels(kernels, inputs, gradients, by_value=False, packed=True, **way)
        assert all(one.isfinite().all() for one in results[:3])
        assert results[0].abs().max() <= weights.sum((3, 4)).max()


def test_the_deterministic_gradient_of_the_values_is_the_same_bit_by_bit(kernels):
    inputs = random_inputs(channels=40, queries=20, dtype=torch.float32)
    inputs = (inputs[0][:, :, :1], *inputs[1:])
    first, *others = (
        check_kernels(kernels, inputs, deterministic=True, packed=True, **way)[2]
        for way in ({}, {'processors': 1}, {'processors': 2, 'wide': True})
    )
    assert all(torch.equal(first, other) for other in others)


def test_nvcc_compiles_the_cuda_ops_for_sm_80_and_sm_90_and_spills_no_register(compiler, tmp_path):
    home, reason = cuda_toolkit(torch.version.cuda)
    if home is None:
        pytest.skip(reason)
    folders = [*cpp_extension.include_paths(), home / 'include']
    include = [word for folder in folders for word in ('-isystem', folder)]
    targets = [f'-gencode=arch=compute_{sm},code=sm_{sm}' for sm in (80, 90)]
    flags = ['--threads=2', '--expt-relaxed-constexpr', '-std=c++17', '-Xptxas=-v']
    nvcc = [home / 'bin/nvcc', *targets, *flags, '-o', tmp_path / 'cuda.o', *include]
    nvcc = [*nvcc, '-c', CSRC / 'cuda_launch.cu']
    standard = '-std=c++20' if 'c++20' in Path(cpp_extension.__file__).read_text() else '-std=c++17'
    check = [compiler, standard, '-fsyntax-only', *include, CSRC / 'cuda.cpp']
    both = [subprocess.Popen(one, stderr=subprocess.PIPE, text=True) for one in (nvcc, check)]
    errors = [process.communicate()[1] for process in both]  # side by side
    assert [process.returncode for process in both] == [0, 0], errors
    spills = re.findall(r'(\d+) bytes spill', errors[0])
    assert spills and set(spills) == {'0'}
