"""What pip alone cannot install, checked where it is first needed."""


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
