"""What is wrong with a request, for whoever made it."""

from __future__ import annotations

from fmmp.errors import InputError


class Problem(InputError):
    """A request that is refused.

    Args:
        message: says why, and the way out.
        code: what X-AnyLabeling's protocol calls it.
        status: of HTTP, 4xx.
    """

    def __init__(self, message: str, code: str = 'INVALID_REQUEST', status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status
