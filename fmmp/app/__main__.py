"""Serve the page: label one picture of a folder, get the rest, correct the worst, export.

    python -m fmmp.app FOLDER

Then open the address that it prints. Everything is kept in FOLDER/fmmp_project.json as you go.
"""

from __future__ import annotations

import argparse
import secrets
import socket
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fmmp import cli
from fmmp.errors import InputError
from fmmp.files import PROJECT_FILE, require_writable

from .folder import MOST_PICTURES, SUFFIXES, Folder
from .prediction import Predictor
from .project import Project
from .serving import LOOPBACK, listen, load_model


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m fmmp.app',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'folder', nargs='?', default='fmmp_pictures', help='the pictures [fmmp_pictures]'
    )
    parser.add_argument('--project', help=f'the project file [FOLDER/{PROJECT_FILE}]')
    parser.add_argument('--config', help="a method's config [the starter's]")
    parser.add_argument('--checkpoint', help='its checkpoint')
    parser.add_argument('--device', default='cpu', help='where it runs, such as cuda:0 [cpu]')
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to listen at; others than this machine need '
        'the token in the link that is printed [127.0.0.1]',
    )  # fmt: skip
    parser.add_argument('--port', type=int, default=8008, help='0: any that is free [8008]')
    parser.add_argument('--open', action='store_true', help='open it in the browser')
    return parser.parse_args()


def make_estimator(model: Any, supports: Sequence[dict]) -> Any:
    """An estimator of supports that are given as the arguments of `fmmp.apis.Support`."""
    import numpy as np

    from fmmp.apis import Estimator, Support

    return Estimator(
        model,
        [
            Support(
                support['image'],
                np.array(support['keypoints'], float).reshape(-1, 2),
                np.array(support['visible'], bool),
                support['skeleton'],
                support['box'],
            )
            for support in supports
        ],
        second_look=True,
    )


def main() -> None:
    """Serve until it is interrupted."""
    args = parse_args()
    try:
        from .server import Server, make_app
    except ImportError as error:
        raise InputError(
            f'the page needs {error.name}: bash install.sh, or pip install starlette uvicorn'
        ) from error
    folder = Folder(args.folder)
    path = Path(args.project or folder.root / PROJECT_FILE)
    require_writable(path)
    project = Project(path)
    predictor = Predictor(
        folder,
        project,
        lambda: load_model(args.config, args.checkpoint, args.device),
        make_estimator,
    )
    token = None if args.host in LOOPBACK else secrets.token_urlsafe(16)
    listener = listen(args.host, args.port)
    host = socket.gethostname() if args.host in ('0.0.0.0', '::') else args.host
    host = f'[{host}]' if ':' in host else host
    address = f'http://{host}:{listener.getsockname()[1]}/' + (f'?token={token}' if token else '')
    print(f'{len(folder.pictures)} pictures in {folder.root}; the page is at\n    {address}\n'
          f'What you label is kept in {path}. Ctrl-C ends it.', flush=True)  # fmt: skip
    if not folder.pictures:
        print(f'Pictures are files {" ".join(SUFFIXES)}; save others, such as HEIC, as JPEG first.')
    if len(folder.pictures) == MOST_PICTURES:
        print(
            f'The page takes the first {MOST_PICTURES} pictures of a folder: use several folders.'
        )
    if args.open:
        webbrowser.open(address)
    try:
        Server(make_app(folder, project, predictor, token), predictor).run([listener])
    finally:
        project.save()
        predictor.join()


if __name__ == '__main__':
    cli.run(main)
