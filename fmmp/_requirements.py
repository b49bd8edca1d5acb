"""What must be installed, checked where it is first needed."""

import sys
from importlib.util import find_spec
from pathlib import Path


def require_own_parts() -> None:
    """Check that ``fmmp.models`` and ``fmmp.datasets`` are found, and belong to this package.

    In a clone they lie beside it, and an installation maps them into it. Started at the root of a
    clone that is not installed, Python finds ``fmmp`` without them, or with those of another copy.

    Raises:
        ImportError: they are not; the message says how to install the clone.
    """
    package = Path(__file__).resolve().parent
    for name in ('models', 'datasets'):
        spec = find_spec(f'fmmp.{name}')
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found not in (package / name, package.parent / name):
            part = f'fmmp.{name} from {found}' if found else f'no fmmp.{name} is found'
            raise ImportError(
                f'fmmp is taken from {package}, and {part}: {package.parent} is not installed in '
                f'{sys.prefix}; run `bash install.sh` in it, or start Python in another folder'
            )


def require_openmmlab() -> None:
    """Checks that MMPose 0.29 and an MMCV that it accepts can be imported.

    Raises:
        ImportError: one line that says what is wrong and how to install them.
    """
    try:
        import mmcv  # noqa: F401
        import mmpose  # asserts mmcv's version
        import xtcocotools.mask  # noqa: F401, a ValueError if built for another numpy

        if not mmpose.__version__.startswith('0.29.'):
            raise ImportError(f'MMPose {mmpose.__version__} is installed')
    except (ImportError, AssertionError, ValueError) as error:
        raise ImportError(
            'this part of FMMP needs MMPose 0.29, MMCV 1.3.8 to 1.7.0 and xtcocotools '
            f'({" ".join(str(error).split())}): run `bash install.sh` in a clone of FMMP'
        ) from None
