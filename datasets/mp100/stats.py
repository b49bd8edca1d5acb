"""Statistics of a unified file: categories, instances, keypoints, links, splits."""

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path

from ..annotations import count_instances, load_annotations
from ..category_names import CategoryNames
from ..coco import read_coco
from ..splits import SUBSETS, split_categories
from .sources import source_of

SPLITS = range(1, 6)
COLUMNS = (
    'id',
    'name',
    'original_name',
    'supercategory',
    'source',
    'instances',
    'images',
    'keypoints',
    'labelled',
    'links',
    *(f'split{n}' for n in SPLITS),
)


def stats(ann_file: str | Path) -> dict:
    """Count what a unified file holds.

    Returns:
        ``categories``, a row a category with the `COLUMNS` (``labelled`` is the share of its
        keypoints that are; ``split1`` … the subset it is in, where the category is MP-100's), and
        ``total``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a sound annotation file; `check` says what is wrong with it.
    """
    content = read_coco(ann_file)
    names = CategoryNames(content)
    counts = count_instances(ann_file)
    annotated = [id_ for id_, (_, count) in counts.items() if count]
    categories, instances = load_annotations(ann_file, annotated, allow_empty_skeleton=True)
    of_category = defaultdict(list)
    for instance in instances.values():
        of_category[instance.category_id].append(instance)
    rows = []
    for entry in content['categories']:
        id_ = entry['id']
        own, category = of_category[id_], categories.get(id_)
        source = source_of(names, id_)
        subsets = _subsets(id_) if source else dict.fromkeys(SPLITS, '')
        row = {
            'id': id_,
            'name': names.shown[id_],
            'original_name': names.original[id_],
            'supercategory': entry.get('supercategory') or '',
            'source': source.name if source else '',
            'instances': len(own),
            'images': len({instance.image for instance in own}),
            'keypoints': category.num_keypoints if own else len(entry.get('keypoints') or []),
            'labelled': round(sum(x.visible.mean() for x in own) / len(own), 4) if own else 0,
            'links': len(category.skeleton if own else entry.get('skeleton') or []),
        }
        rows.append(row | {f'split{n}': subset for n, subset in subsets.items()})
    total = {
        'categories': len(rows),
        'instances': len(instances),
        'images': len({instance.image for instance in instances.values()}),
        'supercategories': len({row['supercategory'] for row in rows}),
        'without_links': sum(not row['links'] for row in rows),
    }
    return {'file': str(ann_file), 'categories': rows, 'total': total}


def _subsets(category_id: int) -> dict[int, str]:
    """Return the subset of each split that a category of MP-100 is in."""
    return {
        n: next((x for x in SUBSETS if category_id in split_categories(n, x)), '') for n in SPLITS
    }


def format_report(report: dict) -> str:
    """Return the statistics as a table."""
    table = [COLUMNS, *([str(row[column]) for column in COLUMNS] for row in report['categories'])]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    numeric = {'id', 'instances', 'images', 'keypoints', 'labelled', 'links'}
    lines = [
        '  '.join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, cell, width in zip(COLUMNS, cells, widths, strict=True)
        ).rstrip()
        for cells in table
    ]
    total = report['total']
    lines.append(
        f'{total["categories"]} categories in {total["supercategories"]} super-categories, '
        f'{total["instances"]} instances on {total["images"]} images, '
        f'{total["without_links"]} categories without links'
    )
    return '\n'.join(lines)


def to_csv(report: dict) -> str:
    """Return the statistics as CSV, a line a category."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(report['categories'])
    return text.getvalue()


def draw_figure(report: dict) -> bytes:
    """Return a PNG with bars of instances, and of keypoints and links, by category."""
    from matplotlib.figure import Figure

    rows = sorted(report['categories'], key=lambda row: (row['supercategory'], row['name']))
    names = [row['name'] for row in rows]
    kinds = Counter(row['supercategory'] for row in rows)
    shade = {kind: f'C{position % 10}' for position, kind in enumerate(kinds)}
    colours = [shade[row['supercategory']] for row in rows]

    figure = Figure(figsize=(10, 1.5 + 0.17 * len(rows)), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(names, [row['instances'] for row in rows], color=colours)
    left.set_title('instances, coloured by super-category')
    right.barh(names, [row['keypoints'] for row in rows], color=colours)
    right.plot([row['links'] for row in rows], names, 'k|', markersize=6, label='links')
    right.set_title('keypoints, and links')
    right.legend(loc='lower right')
    left.invert_yaxis()
    left.margins(y=0.01)
    for axes in (left, right):
        axes.tick_params(axis='y', labelsize=7)
        axes.grid(axis='x', alpha=0.3)
        axes.set_axisbelow(True)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format='png')
    return picture.getvalue()
