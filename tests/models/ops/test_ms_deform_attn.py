import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fmmp.models.ops import fused_ms_deform_attn, ms_deform_attn, ms_deform_sample, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from tests.models.ops.cases import (
    DEVICE,
    random_fused_inputs,
    random_inputs,
    results_and_gradients,
)

ROOT = Path(__file__).resolve().parents[3]
NAMES = ['ms_deform_attn', 'ms_deform_sample', 'fused_ms_deform_attn']
OPS = [ms_deform_attn, ms_deform_sample, fused_ms_deform_attn]


def inputs_of(op, **sizes):
    """Random arguments of one of the three ops."""
    if op.__name__ == 'fused_ms_deform_attn':
        return random_fused_inputs(**sizes)
    value, *rest = random_inputs(**sizes)
    return (value[:, :, 0] if op.__name__ == 'ms_deform_sample' else value, *rest)


@pytest.fixture(params=['compiled', 'plain PyTorch'])
def implementation(request):
    """The three ops, by name: as they are, or as they are where nothing is compiled."""
    if request.param == 'compiled':
        request.getfixturevalue('compiled')
        return dict(zip(NAMES, OPS, strict=True))
    return {name: getattr(reference, name) for name in NAMES}


def sample_one_map(implementation, x, y):
    """The sample at a location of the map [[1, 2], [4, 8]]."""
    value = torch.tensor([1.0, 2.0, 4.0, 8.0], device=DEVICE).view(1, 4, 1, 1)
    location = torch.tensor([float(x), float(y)], device=DEVICE).view(1, 1, 1, 1, 1, 2)
    weight = torch.ones(1, 1, 1, 1, 1, device=DEVICE)
    result = implementation['ms_deform_attn'](value, [(2, 2)], [0], location, weight)
    return result.item()


@pytest.mark.parametrize(
    ('x', 'y', 'expected'),
    [
        (0.25, 0.25, 1),  # a pixel's centre
        (0.75, 0.25, 2),
        (0.5, 0.25, 1.5),
        (0.5, 0.5, 3.75),
        (0, 0.25, 0.5),  # half of it outside
        (0, 0, 0.25),
        (1, 1, 2),
        (-0.25, 0.25, 0),  # a pixel away
    ],
)
def test_a_sample_is_bilinear_inside_the_map_and_zero_outside(implementation, x, y, expected):
    assert sample_one_map(implementation, x, y) == pytest.approx(expected)


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf'), 3e38, -3e38, 1e10])
@pytest.mark.parametrize('axis', [0, 1])
def test_a_location_that_is_no_place_counts_nothing_and_has_no_gradient(implementation, bad, axis):
    for op in implementation.values():
        inputs = list(inputs_of(op, dtype=torch.float32))
        inputs[3][:, 0, 0, :, 0, axis] = bad
        _, *gradients = results_and_gradients(op, inputs)
        kept = list(inputs)
        kept[3] = kept[3].clone()
        kept[3][:, 0, 0, :, 0] = 5  # outside
        for one, other in zip(
            results_and_gradients(op, inputs), results_and_gradients(op, kept), strict=True
        ):
            assert_close(one, other)
        location_gradient = next(one for one in gradients if one.shape == inputs[3].shape)
        assert (location_gradient[:, 0, 0, :, 0] == 0).all()


def test_heads_of_shared_tokens_match_values_that_were_projected_first(implementation):
    tokens, levels, starts, locations, weights, weight, bias = random_fused_inputs()
    arguments = levels, starts, locations, weights
    value = torch.nn.functional.linear(tokens, weight, bias).unflatten(-1, (4, 3))
    expected = implementation['ms_deform_attn'](value, *arguments)

    sampled, inside = implementation['ms_deform_sample'](tokens, *arguments)
    projected = torch.einsum('bqhd,hcd->bqhc', sampled, weight.view(4, 3, -1))
    assert_close((projected + inside[..., None] * bias.view(4, 3)).flatten(2), expected)
    fused = implementation['fused_ms_deform_attn'](tokens, *arguments, weight, bias)
    assert_close(fused, expected)


@settings(max_examples=40, deadline=None)
@given(
    op=st.sampled_from(OPS),
    levels=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4),
    batch=st.integers(0, 3),
    queries=st.integers(0, 4),
    heads=st.integers(1, 4),
    channels=st.integers(1, 150),
    points=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_the_compiled_op_computes_what_the_reference_does(compiled, op, **sizes):
    if op is fused_ms_deform_attn:
        sizes['channels'] = sizes['channels'] % 9 + 1
    inputs = inputs_of(op, **sizes)
    expected = results_and_gradients(getattr(reference, op.__name__), inputs)
    for one, other in zip(results_and_gradients(op, inputs), expected, strict=True):
        assert_close(one, other)


def test_one_call_of_many_levels_tiles_and_batches_matches_the_reference(compiled):
    sizes = {'levels': [(3, 4)] * 20, 'batch': 3, 'queries': 40, 'points': 1}
    for op in OPS:
        inputs = inputs_of(op, **sizes)
        expected = results_and_gradients(getattr(reference, op.__name__), inputs)
        for one, other in zip(results_and_gradients(op, inputs), expected, strict=True):
            assert_close(one, other)


@pytest.mark.parametrize('name', NAMES)
def test_the_gradients_are_those_of_finite_differences(implementation, name):
    op = implementation[name]
    value, levels, starts, *rest = inputs_of(
        op, levels=((2, 3), (1, 2)), batch=1, queries=2, heads=2, channels=2
    )
    floats = [one.requires_grad_() for one in (value, *rest)]
    assert torch.autograd.gradcheck(lambda value, *rest: op(value, levels, starts, *rest), floats)


@pytest.mark.parametrize('name', NAMES)
def test_levels_may_be_tensors_or_lists(implementation, name):
    op = implementation[name]
    value, levels, starts, *rest = inputs_of(op)
    expected = results_and_gradients(op, (value, levels, starts, *rest))
    for given_levels in (torch.tensor(levels, device=DEVICE), levels):
        for given_starts in (torch.tensor(starts, device=DEVICE), starts):
            results = results_and_gradients(op, (value, given_levels, given_starts, *rest))
            for one, other in zip(results, expected, strict=True):
                assert torch.equal(one, other)


@pytest.mark.parametrize('name', NAMES)
def test_the_memory_layout_of_the_inputs_does_not_matter(implementation, name):
    op = implementation[name]
    value, levels, starts, *rest = inputs_of(op)

    def scattered(one):
        return one.mT.contiguous().mT.repeat_interleave(2, 0)[::2] if one.dim() > 1 else one

    results = results_and_gradients(op, (scattered(value), levels, starts, *map(scattered, rest)))
    for one, other in zip(
        results, results_and_gradients(op, (value, levels, starts, *rest)), strict=True
    ):
        assert_close(one, other)


@pytest.mark.parametrize('sizes', [{'batch': 0}, {'queries': 0}], ids=['batch', 'queries'])
def test_an_empty_batch_or_no_queries_give_an_empty_result_and_zero_gradients(
    implementation, sizes
):
    for op in implementation.values():
        result, *rest = results_and_gradients(op, inputs_of(op, **sizes))
        assert result.numel() == 0
        assert all((one == 0).all() for one in rest)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(implementation, dtype):
    # 1000 ones: a sum kept in bfloat16 would stay at 256.
    like = {'dtype': dtype, 'device': DEVICE}
    tokens = torch.ones(1, 1, 1, **like)
    locations = torch.full((1, 1, 1, 1, 1000, 2), 0.5, **like)
    arguments = [(1, 1)], [0], locations, torch.ones(1, 1, 1, 1, 1000, **like)
    assert implementation['ms_deform_attn'](tokens[:, :, None], *arguments).item() == 1000
    sampled, inside = implementation['ms_deform_sample'](tokens, *arguments)
    assert sampled.item() == inside.item() == 1000
    projection = torch.ones(1, 1, **like), torch.zeros(1, **like)
    assert implementation['fused_ms_deform_attn'](tokens, *arguments, *projection).item() == 1000


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_near_float32_gradients_too(implementation, name, dtype):
    op = implementation[name]
    inputs = inputs_of(op, dtype=dtype)
    as_float = [one.float() if isinstance(one, torch.Tensor) else one for one in inputs]
    expected = results_and_gradients(op, as_float)
    for one, other in zip(results_and_gradients(op, inputs), expected, strict=True):
        assert one.dtype == dtype
        assert_close(one.float(), other, rtol=0.05, atol=0.05)


@pytest.mark.parametrize('name', NAMES)
def test_autocast_computes_in_float32_and_returns_the_dtype_of_the_values(implementation, name):
    op = implementation[name]
    value, levels, starts, locations, weights, *rest = inputs_of(op, dtype=torch.float32)
    value = value.bfloat16()
    with torch.autocast(DEVICE, torch.bfloat16):
        result = op(value, levels, starts, locations, weights, *rest)
    expected = op(value.float(), levels, starts, locations, weights, *rest)
    if name == 'ms_deform_sample':
        result, expected = result[0], expected[0]
    assert result.dtype == torch.bfloat16
    assert_close(result, expected.bfloat16(), rtol=0.02, atol=0.02)


def change(position, new):
    """A change of the argument at a position."""
    return lambda inputs: [*inputs[:position], new(inputs[position]), *inputs[position + 1 :]]


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (change(0, lambda one: one[0]), r'\(B, N, '),
        (change(0, lambda one: one[:, :-1]), 'within the 26 tokens'),
        (change(0, lambda one: one[:1]), 'expected|batch|must'),
        (change(0, lambda one: one.float()), 'dtype'),
        (change(0, lambda one: one.long()), 'float|dtype'),
        (change(0, lambda one: one.to('meta')), 'device'),
        (change(1, lambda one: one[:2]), 'levels|level_start_index|a start for each'),
        (change(1, lambda one: [(2, 3), (4, 4), (1, 4)]), 'sum to 26, expected 27'),
        (change(1, lambda one: [(-2, -3), *one[1:]]), 'within'),
        (change(1, lambda one: torch.tensor(one, device=DEVICE).t()), 'level_start_index'),
        (change(2, lambda one: [0, 6, 2**62]), 'within'),
        (change(2, lambda one: [-1, 6, 22]), 'within'),
        (change(2, lambda one: [*one, 0]), 'level_start_index|start'),
        (change(3, lambda one: one[..., :1]), r'L, P, 2\)'),
        (change(3, lambda one: one[0]), r'L, P, 2\)'),
        (change(3, lambda one: one[:, :, :, :2]), 'levels'),
        (change(3, lambda one: one.float()), 'dtype'),
        (change(4, lambda one: one[..., :1]), 'attention_weights'),
        (change(4, lambda one: one[:, :1]), 'attention_weights'),
        (change(4, lambda one: one.float()), 'dtype'),
    ],
)
def test_arguments_that_do_not_fit_raise_an_error_that_says_what_was_expected(
    implementation, changed, message
):
    op = implementation['ms_deform_attn']
    with pytest.raises(ValueError, match=message):
        op(*changed(list(random_inputs())))


@pytest.mark.parametrize(
    'changed',
    [
        change(0, lambda one: one[..., :-1]),
        change(3, lambda one: one[0]),
        change(5, lambda one: one[:-1]),
        change(5, lambda one: one[0]),
        change(6, lambda one: one[:-1]),
        change(6, lambda one: one[None]),
        change(5, lambda one: one.float()),
    ],
)
def test_a_projection_that_does_not_fit_raises_an_error_that_says_what_was_expected(
    implementation, changed
):
    op = implementation['fused_ms_deform_attn']
    with pytest.raises(ValueError, match='value_weight'):
        op(*changed(list(random_fused_inputs())))


def test_values_with_another_number_of_heads_raise_an_error(implementation):
    value, *rest = random_inputs()
    with pytest.raises(ValueError, match='heads'):
        implementation['ms_deform_attn'](value[:, :, :1], *rest)


def test_a_second_derivative_is_refused(compiled):
    for op in OPS:
        inputs = [
            one.requires_grad_() if isinstance(one, torch.Tensor) else one for one in inputs_of(op)
        ]
        result = op(*inputs)
        result = result[0] if isinstance(result, tuple) else result
        (gradient,) = torch.autograd.grad(result.sum(), inputs[0], create_graph=True)
        with pytest.raises(RuntimeError, match='once only'):
            gradient.square().sum().backward()


@pytest.mark.skipif(DEVICE != 'cpu', reason='the order in which a GPU adds is its own')
def test_the_gradients_are_the_same_bit_by_bit_however_many_threads_there_are(compiled):
    before = torch.get_num_threads()
    inputs = inputs_of(ms_deform_sample, queries=50, channels=200, dtype=torch.float32)
    try:
        results = []
        for threads in (1, 2, 3, 3):
            torch.set_num_threads(threads)
            results.append(results_and_gradients(ms_deform_sample, inputs))
    finally:
        torch.set_num_threads(before)
    for others in results[1:]:
        assert all(map(torch.equal, results[0], others))


opcheck = pytest.mark.skipif(
    not hasattr(torch.library, 'opcheck'), reason='torch.library.opcheck comes with torch 2.4'
)


@opcheck
@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('overload', ['default', 'ints'])
def test_the_op_passes_opcheck(compiled, name, overload):
    value, levels, starts, *rest = inputs_of(getattr(reference, name))
    if name == 'ms_deform_sample':
        value = value.unsqueeze(2)
    if overload == 'default':
        levels, starts = torch.tensor(levels, device=DEVICE), torch.tensor(starts, device=DEVICE)
    else:
        levels = [length for size in levels for length in size]
    floats = [one.requires_grad_() for one in (value, *rest)]
    op = getattr(getattr(torch.ops.fmmp, name), overload)
    torch.library.opcheck(op, (floats[0], levels, starts, *floats[1:]))


@opcheck
@pytest.mark.parametrize('op', OPS)
@pytest.mark.parametrize('as_tensors', [False, True], ids=['lists', 'tensors'])
def test_torch_compile_runs_the_op_without_graph_breaks(compiled, op, as_tensors):
    value, levels, starts, *rest = inputs_of(op)
    if as_tensors:
        levels, starts = torch.tensor(levels, device=DEVICE), torch.tensor(starts, device=DEVICE)

    def twice(value, *rest):
        result = op(value * 2, levels, starts, *rest)
        return result if isinstance(result, tuple) else result * 2

    compiled_op = torch.compile(twice, backend='aot_eager', fullgraph=True)
    expected = results_and_gradients(twice, (value, *rest))
    for one, other in zip(
        results_and_gradients(compiled_op, (value, *rest)), expected, strict=True
    ):
        assert_close(one, other)


def run_module(**environment):
    return subprocess.run(
        [sys.executable, '-m', 'fmmp.models.ops'],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_module_says_that_the_ops_are_compiled_and_where(compiled):
    said = run_module()
    assert 'cpu: compiled' in said and str(ROOT / 'models/ops/_ops_torch') in said


def test_the_module_says_why_plain_pytorch_is_used():
    said = run_module(FMMP_OPS='0')
    assert 'cpu: plain PyTorch' in said and 'FMMP_OPS=0' in said
