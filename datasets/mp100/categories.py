"""A file's categories: their numbers of keypoints, their skeletons repaired, a report of both."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fmmp.errors import InputError

from ..category_names import CategoryNames
from .links import Base, Links, base_by_indices, clean_links
from .mean_shape import infer_links


def keypoint_values(annotation: dict) -> list:
    """Return an annotation's x, y, v, …; empty where it has none."""
    values = annotation.get('keypoints')
    return values if isinstance(values, list) else []


def repair_categories(
    content: Mapping[str, list[dict]],
    by_convention: Callable[[int, Mapping[int, Base | None]], Base],
    links: Mapping[str, Links] | None = None,
    infer: bool = False,
) -> list[dict]:
    """Bring categories, in place, to names that no two share and to 0-based links that hold.

    Args:
        content: of an annotation file, its categories with ``skeleton``. One that is renamed keeps
            its first name as ``original_name``.
        by_convention: tells a category's base where its indices fit both, given what the indices
            of all tell.
        links: 0-based links by category name or id, for categories without any.
        infer: link categories that still have none by their mean shape.

    Returns:
        A row a category: ``id``, ``name``, ``original_name``, ``instances``, ``keypoints``,
        ``links``, ``base``, ``links_from``, ``dropped`` and ``notes``.

    Raises:
        ValueError: a name in ``links`` is that of several categories, or of none.
    """
    categories, annotations = content['categories'], content['annotations']
    names = CategoryNames(content)
    if unknown := names.unknown(links or {}):
        raise InputError(
            f'links are given for {unknown[0]!r}, which is no category of the files: choose from '
            f'{", ".join(names.shown.values())}'
        )
    given = names.by_id(links or {})
    of_category = defaultdict(list)
    for annotation in annotations:
        of_category[annotation['category_id']].append(annotation)
    counts = {x['id']: _num_keypoints(x, of_category[x['id']]) for x in categories}
    told = {x['id']: base_by_indices(x['skeleton'], counts[x['id']]) for x in categories}
    rows = []
    for category in categories:
        id_ = category['id']
        own, count = of_category[id_], counts[id_]
        base = told[id_] or by_convention(id_, told)
        category['name'], original = names.shown[id_], names.original[id_]
        if original != category['name']:
            category['original_name'] = original
        links_given, notes = given.get(id_), _odd(category, own, count)
        repaired = _repair_skeleton(category, own, count, base, links_given, infer)
        if links_given is not None and repaired['links_from'] == 'file':
            notes.append('--links is not used: the file has links')
        rows.append(
            {
                'id': id_,
                'name': category['name'],
                'original_name': original,
                'instances': len(own),
                'keypoints': count,
                'notes': notes,
                **repaired,
            }
        )
    return rows


def _num_keypoints(category: dict, annotations: list[dict]) -> int:
    """Return K_c, that of most annotations, or of the names where nothing is annotated."""
    lengths = Counter(len(keypoint_values(x)) // 3 for x in annotations if keypoint_values(x))
    if lengths:
        return max(lengths, key=lambda length: (lengths[length], length))
    return len(category.get('keypoints') or [])


def _odd(category: dict, annotations: list[dict], count: int) -> list[str]:
    notes = []
    if not annotations:
        notes.append('no annotation in any file')
    names = len(category.get('keypoints') or [])
    if names not in (0, count):
        notes.append(f'{names} names for {count} keypoints: the annotations decide')
    other = sum(len(keypoint_values(x)) not in (0, 3 * count) for x in annotations)
    if other:
        notes.append(f'{other} annotations have another number of keypoints')
    return notes


def _repair_skeleton(
    category: dict,
    annotations: list[dict],
    count: int,
    base: Base,
    given: Links | None,
    infer: bool,
) -> dict:
    """Put 0-based links that hold into the category; return what the report says of them."""
    written = category['skeleton']
    if not count:  # nothing to check the links against
        return {'links': len(written), 'base': None, 'links_from': 'file', 'dropped': []}
    links, dropped = clean_links(written, count, base.first)
    source = 'file'
    if not links:
        if given is not None:
            source = '--links'
            links, more = clean_links(given, count, first=0)
            dropped += more
        elif infer:
            source = '--infer-links'
            links = infer_links(*_keypoint_arrays(annotations, count))
    category['skeleton'] = links
    return {
        'links': len(links),
        'base': {'first': base.first, 'told_by': base.told_by} if written else None,
        'links_from': source if links else None,
        'dropped': dropped,
    }


def _keypoint_arrays(annotations: list[dict], count: int) -> tuple[np.ndarray, np.ndarray]:
    values = [keypoint_values(x) for x in annotations if len(keypoint_values(x)) == 3 * count]
    values = np.array(values, float).reshape(-1, count, 3)
    return values[..., :2], (values[..., 2] > 0) & np.isfinite(values).all(-1)


def format_rows(rows: Sequence[dict]) -> list[str]:
    """Return lines on what `repair_categories` decided, repaired and left open."""
    lines = []
    for row in rows:
        lines.append(
            f'{row["name"]} ({row["id"]}): {row["instances"]} instances, {row["keypoints"]} '
            f'keypoints, {row["links"]} links{_where_from(row)}'
        )
        if row['original_name'] != row['name']:
            lines.append(f'    named {row["original_name"]!r} in the files')
        for drop in row['dropped']:
            lines.append(f'    dropped the link {drop["link"]}: it {drop["why"]}')
        if not row['links']:
            lines.append('    without a link: give --links FILE or --infer-links')
        lines += [f'    {note}' for note in row['notes']]
    return lines


def _where_from(row: dict) -> str:
    if row['links_from'] != 'file':
        return f' ({row["links_from"]})' if row['links'] else ''
    base = row['base']
    return f' ({base["first"]}-based, told by {base["told_by"]})' if base else ''
