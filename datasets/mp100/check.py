"""The doctor: what of a unified file and its images can be used, and what to do about the rest."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from ..category_names import CategoryNames
from ..coco import annotation_problem, read_coco
from ..splits import SUBSETS, split_categories
from .categories import keypoint_values
from .images import Progress, examine_images
from .links import REPEATED, TO_ITSELF, clean_links
from .oddities import no_instance, oddities
from .sources import source_of, sources

NUM_KEYPOINTS = 70  # K of the configs


def check(
    ann_file: str | Path,
    image_folder: str | Path,
    num_shots: int = 1,
    num_queries: int = 15,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[dict, dict]:
    """Examine a unified annotation file and all of its images.

    Args:
        ann_file: the annotation file.
        image_folder: the folder that its paths start from.
        num_shots: S, supports an episode.
        num_queries: Q, queries an episode when testing.
        workers: threads that read images; as many as there are processors unless given.
        progress: called with the numbers of images examined and to examine.

    Returns:
        The report, and the content of the file without what cannot be used. The latter keeps all
        categories, also those that have no instance left.

    Raises:
        FileNotFoundError: the annotation file or the folder is missing.
        ValueError: the annotation file is not COCO-style, or an episode would lack supports or
            queries.
    """
    if num_shots < 1 or num_queries < 1:
        raise InputError(f'{num_shots} shots and {num_queries} queries: give at least 1 of each')
    content = read_coco(ann_file, every_annotation=False)
    names = CategoryNames(content)
    if not Path(image_folder).is_dir():
        raise FileNotFoundError(f'{image_folder}: there is no such image folder')
    problems = examine_images(content['images'], image_folder, workers, progress)
    images = {image['id']: image for image in content['images']}
    broken = {
        image['id']: problem
        for image, problem in zip(content['images'], problems, strict=True)
        if problem
    }
    of_category = defaultdict(list)
    for annotation in content['annotations']:
        if annotation['image_id'] in images:
            of_category[annotation['category_id']].append(annotation)

    rows, usable = [], set()
    for category in content['categories']:
        id_ = category['id']
        row, numbers = _check_category(category, of_category[id_], images, broken)
        source = source_of(names, id_)
        named = {
            'id': id_,
            'name': names.shown[id_],
            'original_name': names.original[id_],
            'source': source.name if source else None,
        }
        rows.append(named | row)
        usable |= numbers
    report = {
        'file': str(ann_file),
        'images': str(image_folder),
        'num_shots': num_shots,
        'num_queries': num_queries,
        'categories': rows,
        'broken_images': [
            {'file_name': images[id_]['file_name'], 'problem': problem, 'details': details}
            for id_, (problem, details) in broken.items()
        ],
        'splits': _check_splits(rows, num_shots, num_queries),
    }
    rest = {
        **content,
        'images': [image for image in content['images'] if image['id'] not in broken],
        'annotations': [x for x in content['annotations'] if id(x) in usable],
    }
    return report, rest


def _check_category(
    category: dict, annotations: list[dict], images: dict, broken: dict
) -> tuple[dict, set[int]]:
    """Return a category's row of the report, and which annotations (their `id()`) are usable."""
    lengths = Counter(len(keypoint_values(x)) for x in annotations if keypoint_values(x))
    length = max(lengths, key=lambda n: (lengths[n], n)) if lengths else 0
    count = length // 3
    skeleton = category.get('skeleton')
    skeleton_problems, skeleton_notes = _check_skeleton(skeleton, count)
    if count > NUM_KEYPOINTS:
        skeleton_problems.append(f'{count} keypoints are more than the {NUM_KEYPOINTS} of configs')

    malformed, odd = Counter(), Counter()
    usable = set()
    for annotation in annotations:
        image = images[annotation['image_id']]
        if problem := _malformed(annotation, length):
            malformed[problem] += 1
            continue
        odd.update(oddities(annotation, image))
        sound = image['id'] not in broken and not skeleton_problems
        if sound and no_instance(annotation, image) is None:
            usable.add(id(annotation))
    of_images = Counter(
        broken[id_][0] if id_ in broken else 'good' for id_ in {x['image_id'] for x in annotations}
    )
    problems = [f'{n} annotations {problem}' for problem, n in sorted(malformed.items())]
    row = {
        'keypoints': count,
        'links': len(skeleton) if isinstance(skeleton, list) else 0,
        'annotations': len(annotations),
        'usable': len(usable),
        'images': {'all': of_images.total(), **dict(sorted(of_images.items()))},
        'problems': problems + skeleton_problems,
        'notes': [f'{n} {what}' for what, n in sorted(odd.items())] + skeleton_notes,
    }
    return row, usable


def _malformed(annotation: dict, length: int) -> str | None:
    """Say why an annotation cannot be read."""
    if problem := annotation_problem(annotation):
        return f'whose {problem}'
    if not np.isfinite(annotation.get('bbox', 0)).all():
        return 'whose box is not finite'
    values = annotation.get('keypoints') or [0] * length
    if len(values) != length or not np.isfinite(values).all():
        return f'whose keypoints are not {length // 3} times x, y, v'
    return None


def _check_skeleton(skeleton: object, count: int) -> tuple[list[str], list[str]]:
    """Return what makes a skeleton unusable, and what is only odd."""
    if not isinstance(skeleton or [], list):
        return ['the skeleton is no list'], []
    if not skeleton:
        return ['the skeleton is empty: fill it by unify with --links or --infer-links'], []
    if not count:
        return [], []
    problems, notes = [], []
    for drop in clean_links(skeleton, count, first=0)[1]:
        text = f'the link {drop["link"]} {drop["why"]}'
        (notes if drop['why'] in (TO_ITSELF, REPEATED) else problems).append(text)
    if problems:
        problems = [f'{"; ".join(problems[:2])}: unify the file' + (' …' if problems[2:] else '')]
    return problems, notes


def _check_splits(rows: Sequence[dict], num_shots: int, num_queries: int) -> dict:
    """Tell for each split's subsets which categories have too few usable instances.

    A split runs as it is where no subset has such a category or one with a broken image or a
    problem. Of a file that is not MP-100's, all categories are one split, ``all``.
    """
    by_id = {row['id']: row for row in rows}
    if 2 * sum(row['source'] is not None for row in rows) > len(rows):
        splits = {
            f'split{n}': {subset: split_categories(n, subset) for subset in SUBSETS}
            for n in range(1, 6)
        }
    else:
        splits = {'all': {subset: list(by_id) for subset in ('train', 'test')}}
    result = {}
    for split, subsets in splits.items():
        result[split] = {'runs': True, 'runs_on_usable': True, 'subsets': {}}
        for subset, ids in subsets.items():
            needed = num_shots + (1 if subset == 'train' else num_queries)
            known = [by_id[id_] for id_ in ids if id_ in by_id]
            too_few = {row['name']: row['usable'] for row in known if row['usable'] < needed}
            too_few |= {f'id {id_}, not in the file': 0 for id_ in ids if id_ not in by_id}
            unsound = [
                row['name']
                for row in known
                if row['problems'] or row['images']['all'] > row['images'].get('good', 0)
            ]
            result[split]['subsets'][subset] = {
                'categories': len(ids),
                'needed': needed,
                'too_few': too_few,
                'unsound': unsound,
            }
            result[split]['runs'] &= not (too_few or unsound)
            result[split]['runs_on_usable'] &= not too_few
    return result


def all_run(report: dict, on_usable: bool = False) -> bool:
    """Whether every split can run, on the file as it is or on what of it is usable."""
    key = 'runs_on_usable' if on_usable else 'runs'
    return all(split[key] for split in report['splits'].values())


def format_report(report: dict) -> str:
    """Say in lines what `check` found: categories, what is missing by source, splits."""
    width = max([len(row['name']) for row in report['categories']] + [8])
    lines = [f'{"category":<{width}}   id  keypoints  links  usable of annotated  good of images']
    for row in report['categories']:
        images = row['images']
        lines.append(
            f'{row["name"]:<{width}}  {row["id"]:>3}  {row["keypoints"]:>9}  {row["links"]:>5}  '
            f'{row["usable"]:>6} of {row["annotations"]:<9}  '
            f'{images.get("good", 0):>4} of {images["all"]}'
        )
        bad = {kind: n for kind, n in images.items() if kind not in ('all', 'good')}
        lines += [f'    ! {n} images {kind}' for kind, n in bad.items()]
        lines += [f'    ! {problem}' for problem in row['problems']]
        lines += [f'    {note}' for note in row['notes']]
    lines += _broken_lines(report) + _advice_lines(report)
    for name, split in report['splits'].items():
        lines.append(f'{name}: {_verdict(split)}')
        for subset, state in split['subsets'].items():
            if state['too_few']:
                listing = ', '.join(f'{key} ({n})' for key, n in state['too_few'].items())
                lines.append(
                    f'    {subset}: {len(state["too_few"])} of {state["categories"]} categories '
                    f'have fewer than {state["needed"]} usable instances: {listing}'
                )
    if not all_run(report):
        lines.append(
            'to go on with what is usable: --write-usable FILE, and ann_file=FILE in the config, '
            'with allow_missing=True where categories have too few instances'
        )
    return '\n'.join(lines)


def _verdict(split: dict) -> str:
    if split['runs']:
        return 'can run'
    if split['runs_on_usable']:
        return 'cannot run as it is, but on what is usable'
    return 'cannot run with all of its categories'


def _broken_lines(report: dict, most: int = 10) -> list[str]:
    """Name the broken images, few of each kind; all are in the report."""
    by_kind = defaultdict(list)
    for image in report['broken_images']:
        details = f' ({image["details"]})' if image['details'] else ''
        by_kind[image['problem']].append(image['file_name'] + details)
    lines = []
    for kind, names in by_kind.items():
        lines.append(f'{len(names)} images {kind}:')
        lines += [f'    {name}' for name in names[:most]]
        if len(names) > most:
            lines.append(f'    … and {len(names) - most} more: --json FILE lists them')
    return lines


def _advice_lines(report: dict) -> list[str]:
    """Say for every source of which images are broken what to do."""
    broken = defaultdict(list)
    for row in report['categories']:
        if row['source'] and row['images']['all'] > row['images'].get('good', 0):
            broken[row['source']].append(row['name'])
    return [
        f'from {name}: {", ".join(categories)}. {sources()[name].advice}'
        for name, categories in broken.items()
    ]
