"""The log of one start of a training."""

from __future__ import annotations

import logging
from pathlib import Path

from mmcv.utils import get_logger
from mmcv.utils.logging import logger_initialized

LOGGER = logging.getLogger('fmmp')


def log_to(file: Path, level: str) -> None:
    """Let the logger write to a file and to the standard error, and no longer where it did before.

    Args:
        file: the text log of this start.
        level: such as ``INFO``.
    """
    for handler in [*LOGGER.handlers]:
        LOGGER.removeHandler(handler)
        handler.close()
    logger_initialized.pop(LOGGER.name, None)
    for handler in get_logger(LOGGER.name, str(file), level).handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = _raise  # a full disk is an error, not a traceback a line


def _raise(_: logging.LogRecord) -> None:
    """Let the error that is being handled pass."""
    raise
