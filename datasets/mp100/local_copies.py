"""Where the local copies of MP-100's sources lie: sources.yml, and its template."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import yaml

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .sources import sources


@dataclass(frozen=True)
class LocalCopy:
    """Where a source lies: its image folder and, for one that is matched, its annotation files."""

    images: Path
    annotations: tuple[Path, ...] = ()


def template() -> str:
    """Return a commented sources.yml to fill in."""
    lines = [
        "# Where your copies of MP-100's sources lie. Leave the line of one that you lack empty:",
        '# the others are built all the same. Paths are absolute or relative to this file.',
    ]
    for source in sources().values():
        count = len(source.categories)
        names = ', '.join(source.categories[:3]) + (', …' if count > 3 else '')
        lines += [
            '',
            f'# {source.name}: {count} {"category" if count == 1 else "categories"} ({names}).',
            f'# Give {source.images}.',
            f'# {source.advice}',
        ]
        if source.layout == 'matched':
            lines += [f'{source.name}:', '  images:', '  annotations:  # COCO-style, one or a list']
        else:
            lines.append(f'{source.name}:')
    return '\n'.join(lines) + '\n'


def write_template(file: str | Path) -> None:
    """Write `template`.

    Raises:
        FileExistsError: the file is there and says something else.
    """
    file = Path(file)
    if file.exists() and file.read_text(encoding='utf-8') != template():
        raise FileExistsError(f'{file} is there already: name another file, or delete it first')
    with atomic_path(file) as scratch:
        scratch.write_text(template(), encoding='utf-8')


def read_sources(file: str | Path) -> dict[str, LocalCopy]:
    """Read a filled-in sources.yml.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML, or has a name or a value that does not belong there.
    """
    try:
        content = yaml.safe_load(Path(file).read_text(encoding='utf-8')) or {}
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{file}: there is no such file: make one by --write-template'
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f'{file} is no YAML: {error}') from error
    if not isinstance(content, dict):
        raise InputError(f'{file}: give a line for each source, such as COCO: /path')

    def path(name: str, value: object) -> Path:
        if not isinstance(value, str):
            raise InputError(f'{file}, {name}: give a path, not {value!r}')
        return Path(file).parent.absolute() / Path(value).expanduser()

    result = {}
    for name, value in content.items():
        if name not in sources():
            near = difflib.get_close_matches(str(name), sources(), n=1, cutoff=0.3)
            hint = f': did you mean {near[0]}?' if near else f': choose from {", ".join(sources())}'
            raise InputError(f'{file}: unknown source {name!r}{hint}')
        settings = value if isinstance(value, dict) else {'images': value}
        if unknown := set(settings) - {'images', 'annotations'}:
            raise InputError(f'{file}, {name}: unknown {sorted(unknown)}: give images, annotations')
        if settings.get('images') is None:
            continue
        listed = settings.get('annotations') or []
        listed = listed if isinstance(listed, list) else [listed]
        result[name] = LocalCopy(
            path(name, settings['images']), tuple(path(name, entry) for entry in listed)
        )
    return result
