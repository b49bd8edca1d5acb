"""Exporting a model: to torch.export's programs, to ONNX, and the script that runs the latter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fmmp.apis.data import data_settings
from fmmp.datasets.padding import PADDINGS
from fmmp.errors import InputError
from fmmp.files import atomic_path, write_json

from .padding import TOLERANCE, network_padding
from .programs import Programs, as_episode, example, make_programs
from .standalone import inline_imports
from .to_onnx import to_onnx

SCRIPT = Path(__file__).parent / 'run_onnx.py'


def export(model: nn.Module, folder: str | Path) -> dict:
    """Export a model, and make sure that what was exported computes what the model does.

    Writes ``support.onnx`` and ``query.onnx``; the same as ``support.pt2`` and ``query.pt2`` of
    torch.export; ``model.json``, how images and keypoints are prepared; and ``run_onnx.py``, which
    runs the former. Nothing is written unless all agree with the model.

    Args:
        model: of `init_model`, on the CPU.
        folder: where the files go.

    Returns:
        What ``model.json`` holds: its ``dynamic`` names the sizes that may differ from call to
        call, ``difference`` is the largest one found, in sides of the crop.

    Raises:
        InputError: a package is missing, the method cannot be exported, its images are prepared
            otherwise than the script can, or what was exported computes something else.
    """
    require_packages()
    description = describe(model)
    programs = make_programs(model)
    onnx = {
        'support': to_onnx(programs.support, programs.support_inputs, programs.query_inputs[1:]),
        'query': to_onnx(programs.query, programs.query_inputs, ['points']),
    }
    difference = largest_difference(model, programs, onnx)
    if not difference <= TOLERANCE:
        raise InputError(
            f'{description["method"]}, exported, differs from the model by {difference:.1e} of '
            'the crop: nothing is written'
        )
    description = {**description, 'dynamic': programs.dynamic, 'difference': difference}
    folder = Path(folder)
    (folder / 'model.json').unlink(missing_ok=True)  # written last: a folder with it is whole
    for name, content in onnx.items():
        with atomic_path(folder / f'{name}.pt2') as scratch:
            torch.export.save(getattr(programs, name), scratch)
        with atomic_path(folder / f'{name}.onnx') as scratch:
            scratch.write_bytes(content)
    with atomic_path(folder / SCRIPT.name) as scratch:
        scratch.write_text(inline_imports(SCRIPT, 'fmmp'), encoding='utf-8')
    write_json(description, folder / 'model.json')
    return description


def require_packages() -> None:
    """Make sure that there is what exporting needs.

    Raises:
        InputError: it is missing, or too old.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f'exporting needs {error.name}: pip install onnx onnxruntime onnxscript'
        ) from error
    if tuple(int(part) for part in torch.__version__.split('.')[:2]) < (2, 9):
        raise InputError(f'exporting needs torch 2.9 or newer, and {torch.__version__} is here')


def describe(model: nn.Module) -> dict:
    """How a model's images and keypoints are prepared, as ``model.json`` says it.

    Raises:
        InputError: otherwise than the script can.
    """
    *steps, normalize = (dict(step) for step in model.cfg.data.test.pipeline)
    names = [step['type'] for step in (*steps, normalize)]
    if names != ['LoadImageFromFile', 'CropInstance', 'ToNormalizedTensor']:
        raise InputError(
            'data.test.pipeline: what is exported loads, crops and normalises images by '
            f'LoadImageFromFile, CropInstance, ToNormalizedTensor, and not by {", ".join(names)}'
        )
    settings = data_settings(model.cfg)
    method = settings.padding_method
    if method.draws or type(method).__module__ != PADDINGS['zero'].__module__:
        raise InputError(
            f'data.test.data_cfg.padding is {settings.padding!r}: what is exported pads by '
            "'uniform' or 'zero'"
        )
    if settings.links != 'given':
        raise InputError(
            f'data.data_cfg.links is {settings.links!r}: what is exported follows those given'
        )
    return {
        'method': type(model).__name__,
        'image_size': settings.image_size,
        'num_keypoints': settings.num_keypoints,
        'num_references': settings.num_references if model.num_references else 0,
        'num_links': settings.num_links if model.reads_skeleton else 0,
        'padding': network_padding(model),
        'mean': [*normalize['mean']],
        'std': [*normalize['std']],
    }


def largest_difference(model: nn.Module, programs: Programs, onnx: dict[str, bytes]) -> float:
    """The largest difference of a point, in sides of the crop, from what the model finds.

    Compared are both the programs and the ONNX models under onnxruntime, on the sizes that they
    were exported with, on one support and one query, and on other numbers of everything.
    """
    from onnxruntime import InferenceSession

    sessions = {
        name: InferenceSession(content, providers=['CPUExecutionProvider'])
        for name, content in onnx.items()
    }

    def by_program(supports: dict[str, Tensor], imgs: Tensor) -> np.ndarray:
        state = programs.support.module()(*supports.values())
        return programs.query.module()(imgs, *state).numpy()

    def by_onnx(supports: dict[str, Tensor], imgs: Tensor) -> np.ndarray:
        values = {name: value.numpy() for name, value in supports.items()}
        state = sessions['support'].run(None, values)
        values = dict(zip(programs.query_inputs, [imgs.numpy(), *state], strict=True))
        return sessions['query'].run(None, values)[0]

    sizes = programs.sizes
    few = {**sizes, 'shots': 1, 'queries': 1}
    other = {'shots': 3, 'keypoints': max(1, sizes['keypoints'] - 2), 'queries': 2}
    differences = []
    with torch.no_grad():
        for seed, chosen in enumerate((sizes, few, other), start=1):
            fixed = {name: n for name, n in sizes.items() if name not in programs.dynamic}
            supports, imgs = example(model, {**chosen, **fixed}, seed)
            expected = model.predict(as_episode(supports, imgs))[0].numpy()
            for run in (by_program, by_onnx):
                differences.append(np.abs(run(supports, imgs) - expected).max())
    return float(np.max(differences))
