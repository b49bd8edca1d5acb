"""A program of torch.export as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def to_onnx(
    program: torch.export.ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]
) -> bytes:
    """Convert a program.

    Args:
        program: the program.
        inputs, outputs: names.
    """
    converted = torch.onnx.export(
        program,
        dynamo=True,
        input_names=inputs,
        output_names=outputs,
        custom_translation_table={torch.ops.aten.repeat_interleave.self_int: _repeat},
        optimize=False,  # onnxruntime does that, when it loads the model
        verbose=False,
    )
    return converted.model_proto.SerializeToString()


def _repeat(values: Any, repeats: Any, dim: int = 0, output_size: Any = None) -> Any:
    """``repeat_interleave``, which onnxscript gets wrong where ``repeats`` is dynamic."""
    from onnxscript import opset18 as op

    def vector(*numbers: int) -> Any:
        return op.Constant(value_ints=numbers)

    dim = dim % len(values.shape)
    times = [vector(1)] * (len(values.shape) + 1)
    times[dim + 1] = op.Reshape(repeats, vector(-1))
    repeated = op.Expand(op.Unsqueeze(values, vector(dim + 1)), op.Concat(*times, axis=0))
    ahead, behind = op.Shape(values, start=0, end=dim), op.Shape(values, start=dim + 1)
    return op.Reshape(repeated, op.Concat(ahead, vector(-1), behind, axis=0))
