"""The 100 image folders of MP-100 out of local copies of its thirteen sources.

First the plan, category by category: which image or folder goes where. Then the plan is built, by
symbolic links or copies.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from fmmp.errors import InputError

from ..coco import read_coco, stays_inside
from .building import Plan, build
from .frames import Frames
from .local_copies import LocalCopy
from .sources import Source, sources

RELEASED_FRAMES = 'annotation_data_release.h5'
SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}


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
    content = read_coco(ann_file, every_annotation=False) if ann_file else None
    annotated = _annotated_images(content) if content else {}
    rows = []
    for source in sources().values():
        local = copies.get(source.name)
        plans = _plan(source, local, annotated, content, copy)
        for category, plan in plans.items():
            done = None
            if not dry_run:
                done = build(Path(out) / 'images' / category, plan, copy)
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
    of_frames = source.layout == 'frames' and local is not None and local.images.is_file()
    if local is None or not (local.images.is_dir() or of_frames):
        why = 'it has no line in sources.yml' if local is None else f'no folder {local.images}'
        return {category: _nothing(annotated.get(category), why) for category in source.categories}
    if source.layout == 'matched':
        return _plan_matched(source, local, annotated, content)
    find = cache(_find_by_name)
    plans = {}
    for category, classes in source.classes.items():
        images = annotated.get(category)
        if source.layout == 'classes':
            plan = _plan_classes(local.images, classes, images, copy)
        elif source.layout == 'frames' and not find(local.images):
            plan = _plan_frames(local.images, images)
        else:
            plan = _plan_folder(local.images, category, images, find, copy)
            if images is None or plan.missing:
                plan.notes += _too_few(_own_folder(local.images, category), category, source)
        plans[category] = plan
    return plans


def _nothing(images: Mapping[str, dict] | None, why: str) -> Plan:
    return Plan(missing=dict.fromkeys(images or (), why), notes=[why])


def _own_folder(folder: Path, category: str) -> Path:
    """Return the part of a source's folder that is a category's alone, or else the folder."""
    parts = (folder / category / 'images', folder / category)
    return next((part for part in parts if part.is_dir()), folder)


def _too_few(folder: Path, category: str, source: Source) -> list[str]:
    """Note where a folder of a category's name holds fewer images than a complete copy."""
    count = source.counts.get(category, 0)
    if category not in folder.parts or (found := len(_images_in(folder))) >= count:
        return []
    return [f'{found} images in {folder}, {count} in a complete copy']


def _find_by_name(folder: Path) -> dict[str, list[Path]]:
    """Return the images anywhere under a folder by name."""
    found = defaultdict(list)
    for path in _images_in(folder, '**/*'):
        found[path.name].append(path)
    return found


def _images_in(folder: Path, pattern: str = '*') -> list[Path]:
    return sorted(p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES and p.is_file())


def _plan_folder(
    folder: Path,
    category: str,
    annotated: Mapping[str, dict] | None,
    find: Callable[[Path], dict[str, list[Path]]],
    copy: bool,
) -> Plan:
    """Link the folder, or its part of the category's name; else image by image from subfolders."""
    whole = _own_folder(folder, category)
    if annotated is None:
        return Plan(folder=whole)
    plan = Plan()
    elsewhere = False
    for inner in annotated:
        path = whole / inner
        found = [path] if path.is_file() else find(whole).get(path.name, [])
        if len(found) == 1:
            plan.files[inner] = found[0]
            elsewhere |= found[0] != path
        else:
            plan.missing[inner] = f'{len(found)} of that name' if found else f'not in {whole}'
    if plan.files and not elsewhere and not copy:  # one link serves
        plan.folder = whole
    return plan


def _plan_frames(source: Path, annotated: Mapping[str, dict] | None) -> Plan:
    """Take frames out of an HDF5 file; of a folder, out of the released one or the only one."""
    files = [source] if source.is_file() else sorted(source.glob('*.h5'))
    files = [file for file in files if file.name == RELEASED_FRAMES] or files
    if len(files) != 1:
        return _nothing(annotated, f'{source} holds neither frames as i.jpg nor {RELEASED_FRAMES}')
    try:
        frames = Frames(files[0])
    except InputError as error:
        return _nothing(annotated, str(error))
    plan = Plan(frames=frames)
    for name in frames.names() if annotated is None else annotated:
        image = (annotated or {}).get(name)
        if not frames.has(name):
            plan.missing[name] = f'{files[0]} has no such frame, but 0 to {frames.count - 1}'
        elif image and (image['width'], image['height']) != frames.size:
            width, height = frames.size
            plan.missing[name] = (
                f'the frames of {files[0]} are {width} x {height}, annotated as {image["width"]} x '
                f'{image["height"]}: is it the right file?'
            )
        else:
            plan.frame_names.append(name)
    return plan


def _plan_classes(
    folder: Path, classes: list[str], annotated: Mapping[str, dict] | None, copy: bool
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
        return {category: _nothing(annotated.get(category), why) for category in source.categories}
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
        content = read_coco(file, every_annotation=False)
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


def _row(
    source: Source, category: str, plan: Plan, annotated: Mapping | None, done: dict | None
) -> dict:
    return {
        'name': category,
        'source': source.name,
        'folder': plan.folder and str(plan.folder),
        'images': len(plan.files) or len(plan.frame_names) or None,
        'frames_of': plan.frames and str(plan.frames.file),
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
            what += f' out of {row["frames_of"]}' if row['frames_of'] else ''
        if row['annotated'] is not None:
            what += f', {row["annotated"] - len(row["missing"])} of {row["annotated"]} annotated'
        lines.append(f'{row["name"]}: {what}')
        lines += [f'    ! {note}' for note in row['notes']]
        name, why = next(iter(row['missing'].items()), (None, None))
        if name and why not in row['notes']:
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
