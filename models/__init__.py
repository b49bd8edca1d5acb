"""Models: what all methods share, their layers, and the op."""

from .episode import Episode

__all__ = ['Episode']
