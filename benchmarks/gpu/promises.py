"""What the ops promise beyond their numbers; each function raises where it does not hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from tests.models.ops.cases import results_and_gradients

from . import parity


class NotHere(Exception):
    """This machine, or this version of torch, has no way to check."""


def require_cuda(device: str) -> None:
    """Nothing to check without a card."""
    if device != 'cuda':
        raise NotHere('no card')


def require_equal(one: list[Tensor], other: list[Tensor]) -> None:
    """Results and gradients agree in float32."""
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first.cpu(), second.cpu(), rtol=1e-4, atol=1e-4)


def gradcheck(device: str) -> None:
    """The gradients are those of finite differences."""
    for op in parity.OPS:
        value, levels, starts, *rest = parity.inputs_of(
            op,
            device,
            torch.float64,
            levels=((2, 3), (1, 2)),
            batch=1,
            queries=2,
            heads=2,
            channels=2,
        )
        floats = [one.requires_grad_() for one in (value, *rest)]
        assert torch.autograd.gradcheck(
            lambda value, *rest, op=op, levels=levels, starts=starts: op(
                value, levels, starts, *rest
            ),
            floats,
            nondet_tol=1e-10,  # a GPU adds in an order of its own
        )


def opcheck(device: str) -> None:
    """torch's own check of schema, autograd and shapes; of the overload by lists and by tensors."""
    if not hasattr(torch.library, 'opcheck'):
        raise NotHere('torch.library.opcheck comes with torch 2.4')
    for op, as_tensors in product(parity.OPS, (False, True)):
        value, levels, starts, *rest = parity.inputs_of(op, device, torch.float64)
        value = value.unsqueeze(2) if op is parity.ms_deform_sample else value
        if as_tensors:
            levels, starts = (torch.tensor(one, device=device) for one in (levels, starts))
        else:
            levels = [length for size in levels for length in size]
        floats = [one.requires_grad_() for one in (value, *rest)]
        overload = getattr(
            getattr(torch.ops.fmmp, op.__name__), 'default' if as_tensors else 'ints'
        )
        torch.library.opcheck(overload, (floats[0], levels, starts, *floats[1:]))


def bad_levels(device: str) -> None:
    """Levels without a size, or beyond the tokens, raise."""
    for levels in (((2, 3), (0, 4), (1, 5)), ((0, 0),)):
        try:
            parity.ms_deform_attn(
                *parity.inputs_of(parity.ms_deform_attn, device, torch.float32, levels=levels)
            )
        except ValueError:
            continue
        raise AssertionError(f'levels {levels} were taken')


def wrong_levels_on_the_device(device: str) -> str:
    """Level tensors that lie: no read or write outside, whatever comes out."""
    require_cuda(device)
    value, levels, starts, *rest = parity.inputs_of(parity.ms_deform_attn, device, torch.float32)
    shapes = torch.tensor(levels, device=device)
    lies = torch.tensor(starts, device=device) + 2**40
    try:
        parity.ms_deform_attn(value, shapes, lies, *rest)
        torch.cuda.synchronize()
    except ValueError as error:
        return f'refused: {error}'[:100]
    return 'no error, and no bad access'


def two_streams(device: str) -> None:
    """Two streams at a time give what one gives, and each waits for its own inputs alone."""
    require_cuda(device)
    streams = [torch.cuda.Stream() for _ in range(2)]
    for op in parity.OPS:
        sizes = dict(levels=parity.RELEASE, queries=70, channels=32)
        inputs = [parity.inputs_of(op, device, torch.float32, seed=n, **sizes) for n in (3, 4)]
        expected = [results_and_gradients(op, one) for one in inputs]
        slow = torch.randn(4096, 4096, device=device)
        torch.cuda.synchronize()
        for _ in range(5):
            found = []
            for stream, (value, *rest) in zip(streams, inputs, strict=True):
                with torch.cuda.stream(stream):
                    late = value + 0 * (slow @ slow)[0, 0]  # ready on this stream only, and later
                    found.append(results_and_gradients(op, [late, *rest]))
            torch.cuda.synchronize()
            for one, other in zip(found, expected, strict=True):
                require_equal(one, other)


def second_device(device: str) -> None:
    """The second card's tensors, while the first is current."""
    require_cuda(device)
    if torch.cuda.device_count() < 2:
        raise NotHere('one card')
    for op in parity.OPS:
        first = results_and_gradients(op, parity.inputs_of(op, 'cuda:0', torch.float32))
        second = results_and_gradients(op, parity.inputs_of(op, 'cuda:1', torch.float32))
        assert all(one.device.index == 1 for one in second)
        require_equal(first, second)


def no_waiting(device: str) -> None:
    """Neither direction waits for the device."""
    require_cuda(device)
    for op in parity.OPS:
        inputs = parity.inputs_of(op, device, torch.float32)
        floats = [one.requires_grad_() for one in inputs if isinstance(one, Tensor)]
        results_and_gradients(op, inputs)  # what is done once
        torch.cuda.set_sync_debug_mode('error')
        try:
            result = op(*inputs)
            result = result[0] if isinstance(result, tuple) else result
            torch.autograd.grad(result, floats, torch.ones_like(result), allow_unused=True)
        finally:
            torch.cuda.set_sync_debug_mode('default')


def cuda_graph(device: str) -> None:
    """Both directions can be captured in a graph, whose replay follows its inputs."""
    require_cuda(device)
    for op in parity.OPS:
        inputs = parity.inputs_of(op, device, torch.float32)
        floats = [one.requires_grad_() for one in inputs if isinstance(one, Tensor)]

        def both(op: Callable = op, inputs: list = inputs, floats: list = floats) -> list[Tensor]:
            result = op(*inputs)
            result = result[0] if isinstance(result, tuple) else result
            return [result, *torch.autograd.grad(result.sum(), floats)]

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            both()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = both()
        with torch.no_grad():
            inputs[0].mul_(0.5)
        graph.replay()
        require_equal(captured, both())


def deterministic(device: str) -> str:
    """With torch's deterministic algorithms two runs agree bit for bit, or it says that it cannot.

    Without them, how far two runs are apart.
    """
    sizes = dict(levels=parity.RELEASE, queries=70, channels=32)
    apart, refused = 0.0, set()
    for op in parity.OPS:
        inputs = parity.inputs_of(op, device, torch.float32, **sizes)
        pairs = zip(*(results_and_gradients(op, inputs) for _ in range(2)), strict=True)
        apart = max(apart, *((one - other).abs().max().item() for one, other in pairs))
        torch.use_deterministic_algorithms(True)
        try:
            with warnings.catch_warnings():
                first, second = (results_and_gradients(op, inputs) for _ in range(2))
            assert all(map(torch.equal, first, second)), f'{op.__name__} differs from run to run'
        except RuntimeError as error:
            refused.add(f'{op.__name__}: {str(error)[:80]}')
        finally:
            torch.use_deterministic_algorithms(False)
    without = f'without it two runs differ by {apart:.1e}'
    return f'refused by {"; ".join(sorted(refused))}; {without}' if refused else f'holds; {without}'


PROMISES = {
    'gradcheck': gradcheck,
    'opcheck': opcheck,
    'levels without a size raise': bad_levels,
    'two streams': two_streams,
    'second device': second_device,
    'no waiting for the device': no_waiting,
    'CUDA graph': cuda_graph,
    'deterministic': deterministic,
    'wrong levels on the device': wrong_levels_on_the_device,  # last: a bad access ends the process
}
