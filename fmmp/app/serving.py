"""What the page and the labelling tools' server share: the method, the socket, and who is local."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from fmmp.errors import InputError

LOOPBACK = ('127.0.0.1', 'localhost', '::1')


def load_model(config: str | None, checkpoint: str | None, device: str) -> Any:
    """The method that the arguments name, or the starter."""
    from fmmp.apis import init_model
    from fmmp.apis.settings.reading import read_file
    from fmmp.apis.starter import require_checkpoint, resolve, starter_file

    settings, checkpoint = resolve(read_file(config or starter_file()), checkpoint)
    require_checkpoint(settings, checkpoint)
    return init_model(settings, checkpoint, device, for_testing=True)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the address cannot be had.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # whoever comes before the server has started waits
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f'{host}:{port} cannot be listened at ({error}): --port 0 takes any that is free'
        ) from error
    return listener


def host_name(host: str) -> str:
    """The name in a request's header ``Host``, without the port; '' of what is none."""
    try:
        return urlsplit(f'//{host}').hostname or ''
    except ValueError:
        return ''
