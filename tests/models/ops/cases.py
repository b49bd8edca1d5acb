"""Random inputs of the ops."""

import os

import torch
from fmmp.models.ops import reference

DEVICE = os.environ.get('FMMP_TEST_DEVICE', 'cpu')  # `cuda`: the ops' tests run there
LEVELS = ((2, 3), (4, 4), (1, 5))


def starts_of(levels):
    starts = [0]
    for height, width in levels:
        starts.append(starts[-1] + height * width)
    return starts[:-1]


def random_inputs(
    levels=LEVELS, batch=2, queries=3, heads=4, channels=5, points=2, seed=0, dtype=torch.float64
):
    """Values (B, N, H, C) and ms_deform_attn's other arguments; a third of the samples outside."""
    generator = torch.Generator().manual_seed(seed)
    tokens = sum(height * width for height, width in levels)
    sizes = (batch, queries, heads, len(levels), points)

    def random(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)

    value = 2 * random(batch, tokens, heads, channels) - 1
    return value, levels, starts_of(levels), 1.4 * random(*sizes, 2) - 0.2, random(*sizes)


def random_fused_inputs(channels=3, **sizes):
    """The arguments of fused_ms_deform_attn."""
    value, levels, starts, locations, weights = random_inputs(**sizes)
    heads, dims = value.shape[2:]
    generator = torch.Generator().manual_seed(1)
    weight = torch.rand(heads * channels, dims, generator=generator, dtype=torch.float64) - 0.5
    bias = torch.rand(heads * channels, generator=generator, dtype=torch.float64)
    return (
        value[:, :, 0],
        levels,
        starts,
        locations,
        weights,
        weight.to(value),
        bias.to(value),
    )


def results_and_gradients(op, inputs):
    """What `op` returns, and the gradients of all floating-point inputs, in a list."""
    inputs = [
        one.detach().requires_grad_()
        if isinstance(one, torch.Tensor) and one.is_floating_point()
        else one
        for one in inputs
    ]
    results = op(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    generator = torch.Generator().manual_seed(2)
    grads = [
        torch.rand(one.shape, generator=generator, dtype=torch.float64).to(one) for one in results
    ]
    differentiable = [one for one in inputs if isinstance(one, torch.Tensor) and one.requires_grad]
    return [*results, *torch.autograd.grad(results, differentiable, grads)]


def sample_values(value, *arguments):
    """ms_deform_sample for values (B, N, H or 1, C), by the reference."""
    heads = arguments[2].shape[2]
    value = torch.cat((value, torch.ones_like(value[..., :1])), -1).expand(-1, -1, heads, -1)
    sampled = reference.ms_deform_attn(value, *arguments).unflatten(2, (heads, -1))
    return sampled[..., :-1], sampled[..., -1]
