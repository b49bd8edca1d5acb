"""The licences of what a data set shows, kept beside it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from fmmp.files import atomic_path, write_json

HEAD = """\
What the pictures in this folder show, by licence. The pictures are made from the models named
here and stand under their licences: name the creators, say that the models were changed (posed,
stretched, coloured, lit), and share pictures of models under CC BY-SA or the GPL under the same
licence. A picture also shows a part of a photograph, blurred and recoloured, and may show up to
three other models of the list. Grounds are 0 A.D.'s textures (CC BY-SA 3.0) where its archive was
given.
"""


def write_licences(out_dir: Path, models: list[dict], photographs: list[Path] = ()) -> None:
    """Writes `licences.json` and `LICENCES.txt`.

    Args:
        out_dir: the data set's folder.
        models: of each model that is shown `model`, `origin`, `creator`, `licence`, `categories`.
        photographs: the backgrounds; their packages' files of copyright are named.
    """
    behind = [{'photograph': path.name, 'copyright': _copyright(path)} for path in photographs]
    write_json({'models': models, 'backgrounds': behind}, out_dir / 'licences.json')
    by_licence: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for model in models:
        by_licence[model['licence']][model['creator']].append(model['origin'])
    with (
        atomic_path(out_dir / 'LICENCES.txt') as scratch,
        scratch.open('w', encoding='utf-8') as file,
    ):
        file.write(HEAD)
        for licence in sorted(by_licence):
            file.write(f'\n== {licence}\n')
            for creator in sorted(by_licence[licence]):
                file.write(f'\n{creator}:\n')
                file.writelines(f'  {origin}\n' for origin in sorted(by_licence[licence][creator]))
        file.write('\n== Photographs behind: under the licences that these files tell\n\n')
        for told in sorted({one['copyright'] for one in behind}):
            names = sorted(one['photograph'] for one in behind if one['copyright'] == told)
            file.write(f'{told}:\n  {", ".join(names)}\n')


def _copyright(path: Path) -> str:
    """The copyright file of the Debian package that a file was unpacked from."""
    for root in path.parents:
        if root.name == 'share' and root.parent.name == 'usr':
            told = sorted(root.glob('doc/*/copyright'))
            if len(told) == 1:
                return f'usr/share/doc/{told[0].parent.name}/copyright'
    return f'not told beside {path.parent}'
