"""The 100 image folders of MP-100 out of local copies of its thirteen sources.

First the plan, category by category: which image or folder goes where. Then the plan is built, by
symbolic links or copies.
"""

import difflib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fmmp.errors import InputError
from fmmp.files import atomic_path

from ..coco import read_coco, stays_inside
from .sources import Source, sources

SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}


@dataclass(frozen=True)
class LocalCopy:
    """Where a source lies: its image folder and, for one that is matched, its annotation files."""

    images: Path
    annotations: tuple[Path, ...] = ()


@dataclass
class Plan:
    """What becomes of a category's folder.

    Attributes:
        folder: the folder to link as a whole; None where it is filled image by image.
        files: image inside the category's folder → the source's image.
        missing: annotated image inside the category's folder → why it is missing.
        notes: what else there is to say.
    """

    folder: Path | None = None
    files: dict[str, Path] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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


def prepare(
    copies: Mapping[str, LocalCopy],
    out: str | Path,
    ann_file: str | Path | None = None,
    copy: bool = False,
    dry_run: bool = False,
) -> dict:
    """Build the folders ``images/<category>`` under ``out``.

    What is in place stays, links that lead elsewhere are set anew, and files that are no links are
    never replaced. Whatever is missing is reported; the rest is built.

    Args:
        copies: local copies by source.
        out: the data set's folder.
        ann_file: unified annotation file. With it images in subfolders are found, missing ones are
            named, and CarFusion can be matched.
        copy: copy the annotated images instead of linking.
        dry_run: plan and report only.

    Returns:
        A report, a row a category.

    Raises:
        FileNotFoundError: the annotation file or a source's is missing.
        ValueError: an annotation file cannot be used, or copying without one.
    """
    if copy and ann_file is None:
        raise InputError('copying takes the annotated images alone: name the annotation file')
    content = read_coco(ann_file) if ann_file else None
    annotated = _annotated_images(content) if content else {}
    rows = []
    for source in sources().values():
        local = copies.get(source.name)
        plans = _plan(source, local, annotated, content, copy)
        for category, plan in plans.items():
            done = None
            if not dry_run:
                done = _build(Path(out) / 'images' / category, plan, copy)
            rows.append(_row(source, category, plan, annotated.get(category), done))
    return {'out': str(out), 'annotations': ann_file and str(ann_file), 'categories': rows}


def _annotated_images(content: dict) -> dict[str, dict[str, dict]]:
    """Return the entries of images by folder, which is the category's, and path inside it."""
    result = defaultdict(dict)
    for image in content['images']:
        if stays_inside(image['file_name']):
            folder, _, inner = image['file_name'].partition('/')
            result[folder][inner] = image
    return result


def _plan(
    source: Source,
    local: LocalCopy | None,
    annotated: Mapping[str, Mapping[str, dict]],
    content: dict | None,
    copy: bool,
) -> dict[str, Plan]:
    """Plan all categories of a source."""
    if local is None or not local.images.is_dir():
        why = 'it has no line in sources.yml' if local is None else f'no folder {local.images}'
        return {
            category: Plan(missing=dict.fromkeys(annotated.get(category, ()), why), notes=[why])
            for category in source.categories
        }
    if source.layout == 'matched':
        return _plan_matched(source, local, annotated, content)
    if source.layout == 'classes':
        return {
            category: _plan_classes(local.images, classes, annotated.get(category), copy)
            for category, classes in source.classes.items()
        }
    by_name = _Index(local.images)
    return {
        category: _plan_folder(local.images, category, annotated.get(category), by_name, copy)
        for category in source.categories
    }


class _Index:
    """The images anywhere under a folder by name; searched when first asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = None

    def __getitem__(self, name: str) -> list[Path]:
        if self.found is None:
            self.found = defaultdict(list)
            for path in _images_in(self.folder, '**/*'):
                self.found[path.name].append(path)
        return self.found.get(name, [])


def _images_in(folder: Path, pattern: str = '*') -> list[Path]:
    return sorted(p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES and p.is_file())


def _plan_folder(
    folder: Path, category: str, annotated: Iterable[str] | None, by_name: _Index, copy: bool
) -> Plan:
    """Link the folder, or its part of the category's name; else image by image from subfolders."""
    whole = folder / category if (folder / category).is_dir() else folder
    if annotated is None:
        return Plan(folder=whole)
    plan = Plan()
    elsewhere = False
    for inner in annotated:
        found = [whole / inner] if (whole / inner).is_file() else by_name[Path(inner).name]
        if len(found) == 1:
            plan.files[inner] = found[0]
            elsewhere |= found[0] != whole / inner
        else:
            plan.missing[inner] = f'{len(found)} of that name' if found else f'not in {folder}'
    if plan.files and not elsewhere and not copy:  # one link serves
        plan.folder = whole
    return plan


def _plan_classes(
    folder: Path, classes: Iterable[str], annotated: Iterable[str] | None, copy: bool
) -> Plan:
    """Combine class folders."""
    plan = Plan()
    for name in classes:
        if (folder / name).is_dir():
            plan.files |= {path.name: path for path in _images_in(folder / name)}
        else:
            plan.notes.append(f'no class folder {folder / name}')
    for inner in annotated or ():
        if inner not in plan.files:
            plan.missing[inner] = 'in none of the class folders'
    if copy:
        plan.files = {inner: plan.files[inner] for inner in annotated or () if inner in plan.files}
    return plan


def _plan_matched(
    source: Source,
    local: LocalCopy,
    annotated: Mapping[str, Mapping[str, dict]],
    content: dict | None,
) -> dict[str, Plan]:
    """Find each image by its annotations among the source's own."""
    if content is None or not local.annotations:
        what = 'the unified annotation file' if content is None else "the source's annotations"
        why = f'its images are matched by annotation: name {what}'
        return {
            category: Plan(missing=dict.fromkeys(annotated.get(category, ()), why), notes=[why])
            for category in source.categories
        }
    candidates = _images_by_annotation(local)
    of_image = defaultdict(list)
    for annotation in content['annotations']:
        of_image[annotation['image_id']].append(annotation)
    plans = {}
    for category in source.categories:
        plan = plans[category] = Plan()
        for inner, image in annotated.get(category, {}).items():
            matches = [candidates.get(_object_key(x), set()) for x in of_image[image['id']]]
            common = set.intersection(*filter(None, matches)) if any(matches) else set()
            if len(common) != 1:
                several = f'its annotations fit {len(common)} images of the source'
                plan.missing[inner] = (
                    several if any(matches) else 'no annotation of the source fits'
                )
            elif not (path := next(iter(common))).is_file():
                plan.missing[inner] = f'no image {path}'
            else:
                plan.files[inner] = path
    return plans


def _images_by_annotation(local: LocalCopy) -> dict[tuple, set[Path]]:
    result = defaultdict(set)
    for file in local.annotations:
        content = read_coco(file)
        images = {image['id']: image['file_name'] for image in content['images']}
        for annotation in content['annotations']:
            name = images.get(annotation['image_id'])
            if stays_inside(name):
                result[_object_key(annotation)].add(local.images / name)
    return result


def _object_key(annotation: dict) -> tuple:
    """What tells an object from all others: its box, its outline, its number of keypoints."""

    def rounded(value: object) -> object:
        if isinstance(value, (list, tuple)):
            return tuple(map(rounded, value))
        return round(float(value), 2) if isinstance(value, (int, float)) else str(value)

    keys = ('bbox', 'num_keypoints', 'segmentation')
    return tuple(rounded(annotation.get(key) or ()) for key in keys)


def _build(target: Path, plan: Plan, copy: bool) -> dict[str, int]:
    """Bring a category's folder to what is planned; count what was set, kept and in the way."""
    done = {'set': 0, 'kept': 0, 'in_the_way': 0}
    if plan.folder is not None:
        done[link(target, plan.folder)] += 1
        return done
    if not plan.files:
        return done
    if target.is_symlink():  # of an earlier time: filling it would write into the source
        target.unlink()
    if target.exists() and not target.is_dir():
        done['in_the_way'] += 1
        return done
    for inner, path in plan.files.items():
        done[(_copy if copy else link)(target / inner, path)] += 1
    return done


def link(target: Path, source: Path) -> str:
    """Let a symbolic link lead to a source, whatever it led to; nothing else is replaced.

    Returns:
        ``set``, ``kept`` or ``in_the_way``.
    """
    source = source.resolve()
    if target.is_symlink() and os.readlink(target) == str(source):
        return 'kept'
    if target.exists() and not target.is_symlink():
        return 'in_the_way'
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f'.{target.name}.new')
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(source)
    os.replace(scratch, target)
    return 'set'


def _copy(target: Path, source: Path) -> str:
    if target.exists() and not target.is_symlink():
        same = target.is_file() and target.stat().st_size == source.stat().st_size
        return 'kept' if same else 'in_the_way'
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f'.{target.name}.new')
    try:
        shutil.copyfile(source, scratch)
        os.replace(scratch, target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return 'set'


def _row(
    source: Source, category: str, plan: Plan, annotated: Mapping | None, done: dict | None
) -> dict:
    return {
        'name': category,
        'source': source.name,
        'folder': plan.folder and str(plan.folder),
        'images': len(plan.files) if plan.files else None,
        'annotated': None if annotated is None else len(annotated),
        'missing': plan.missing,
        'notes': plan.notes,
        'done': done,
    }


def format_report(report: dict) -> str:
    """Say in lines what `prepare` built, and what is missing with its source."""
    lines = []
    incomplete = defaultdict(list)
    for row in report['categories']:
        if row['folder']:
            what = f'-> {row["folder"]}'
        else:
            what = f'{row["images"]} images' if row['images'] else 'nothing'
        if row['annotated'] is not None:
            what += f', {row["annotated"] - len(row["missing"])} of {row["annotated"]} annotated'
        lines.append(f'{row["name"]}: {what}')
        lines += [f'    ! {note}' for note in row['notes']]
        if row['missing'] and not row['notes']:
            name, why = next(iter(row['missing'].items()))
            lines.append(f'    ! {len(row["missing"])} images missing, first {name}: {why}')
        if row['done'] and row['done']['in_the_way']:
            lines.append(f'    ! {row["done"]["in_the_way"]} left: no links of ours are in the way')
        if row['missing'] or row['notes']:
            incomplete[row['source']].append(row['name'])
    lines += [
        f'from {name}: {len(categories)} categories incomplete. {sources()[name].advice}'
        for name, categories in incomplete.items()
    ]
    complete = sum(not (row['missing'] or row['notes']) for row in report['categories'])
    state = 'would be complete' if report['categories'][0]['done'] is None else 'are complete'
    lines.append(f'{complete} of {len(report["categories"])} categories {state}')
    if report['annotations'] is None:
        lines.append('without an annotation file, nobody knows which images are missing')
    return '\n'.join(lines)
