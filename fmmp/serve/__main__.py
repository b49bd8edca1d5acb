"""Serve suggestions to Label Studio and X-AnyLabeling.

    python -m fmmp.serve --support cat.jpg --keypoints cat.json
    python -m fmmp.serve --labels annotations.xml --images pictures
    python -m fmmp.serve --local-files pictures

Without a support, Label Studio's first annotated task is one.
"""

from __future__ import annotations

import argparse
import os
import secrets
import threading
from collections.abc import Callable

from torch import nn

from fmmp import cli
from fmmp.app.serving import LOOPBACK, listen, load_model
from fmmp.errors import InputError

PORT = 9090  # that of Label Studio's examples


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m fmmp.serve',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--support', nargs='+', default=[], help='annotated images')
    parser.add_argument('--keypoints', nargs='+', default=[], help='their JSON files')
    parser.add_argument('--labels', help="a labelling tool's file, in place of both")
    parser.add_argument('--images', help="the folder of its images [the file's]")
    parser.add_argument('--category', help="the support's name; the one of the file's to take")
    parser.add_argument('--config', help="a method's config [the starter's]")
    parser.add_argument('--checkpoint', help='its checkpoint')
    parser.add_argument('--device', default='cpu', help='where it runs, such as cuda:0 [cpu]')
    parser.add_argument('--local-files', help="the folder of Label Studio's local files")
    parser.add_argument(
        '--label-studio',
        metavar='ADDRESS',
        help='where pictures that were uploaded to it are asked for, such as '
        'http://localhost:8080, with the token in LABEL_STUDIO_API_KEY',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; others than this machine need a token [127.0.0.1]',
    )
    parser.add_argument('--port', type=int, default=PORT, help=f'0: any that is free [{PORT}]')
    return parser.parse_args()


def once(load: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A function that loads at its first call."""
    loaded, lock = [], threading.Lock()

    def loader() -> nn.Module:
        with lock:
            if not loaded:
                loaded.append(load())
            return loaded[0]

    return loader


def main() -> None:
    """Serve until it is interrupted."""
    args = parse_args()
    try:
        import uvicorn

        from .server import make_app
    except ImportError as error:
        raise InputError(f'the server needs {error.name}: pip install "fmmp[serve]"') from error
    from .category import given_category
    from .images import Pictures

    key = os.environ.get('LABEL_STUDIO_API_KEY', '')
    pictures = Pictures(args.local_files, args.label_studio, key)
    given = given_category(args.support, args.keypoints, args.labels, args.images, args.category)
    load = once(lambda: load_model(args.config, args.checkpoint, args.device))
    load()  # what is wrong with it shows now
    categories = {given.name: given} if given else {}
    token = None
    if args.host not in LOOPBACK:
        token = os.environ.get('FMMP_TOKEN') or secrets.token_urlsafe(16)
    listener = listen(args.host, args.port)
    port = listener.getsockname()[1]
    print(f'serving {given.name if given else "what is annotated first"} at http://'
          f'{args.host}:{port}' + (f', token {token}' if token else '') + '; Ctrl-C ends it',
          flush=True)  # fmt: skip
    app = make_app(load, categories, pictures, token)
    config = uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == '__main__':
    cli.run(main)
