"""Errors that are the input's: scripts print them in one line."""


class InputError(ValueError):
    """A file or a setting that cannot be used; the message names it and the way out."""


class CheckpointError(InputError):
    """A checkpoint that cannot be read, or does not belong to the model."""


class NonFiniteLossError(InputError):
    """A training's loss that is infinite or not a number; the message names the episodes' files."""
