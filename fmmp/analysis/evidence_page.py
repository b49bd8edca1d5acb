"""A page whose tables and figures are made from evidence.

Whatever stands between the two comments is made anew:

    <!-- evidence: results/benchmark.json | base; + mixup padding | against: above -->
    <!-- end -->

Several files, `ONE.json, OTHER.json`, give one table if their pairs are the same; a row's seeds may
stand in several. Rows are named in
order, those of the floors too, and shown by another name if `ROW = NAME` says so; `against` is the
row whose scores are subtracted, or `above`, the row above. A figure of the same rows stands below
the table if `figure: FILE` asks, or `curve: FILE` where the names are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .evidence import Estimate, Evidence, difference, estimate, join, read_evidence
from .tables import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCK = re.compile(r'(<!-- evidence: (.*?) -->\n).*?(<!-- end -->)', re.DOTALL)
COLUMNS = ('PCK@0.05', 'PCK@0.2', 'mPCK')


def fill_page(page: str | Path) -> None:
    """Make a page's tables and figures anew from the files that it names.

    Raises:
        InputError: the page holds no such comment, or one that cannot be read or names a row that
            there is not.
    """
    page = Path(page)
    text = page.read_text()
    if not BLOCK.search(text):
        raise InputError(f'{page}: holds no <!-- evidence: … --> … <!-- end -->')
    filled = BLOCK.sub(lambda match: match[1] + _block(match[2], page.parent) + match[3], text)
    with atomic_path(page) as scratch:
        scratch.write_text(filled)


def _block(request: str, folder: Path) -> str:
    files, *others = (part.strip() for part in request.split('|'))
    rows, options = (others[0], others[1:]) if others else ('', [])
    settings = dict(option.partition(': ')[::2] for option in options)
    if not rows or not settings.keys() <= {'against', 'figure', 'curve'}:
        raise InputError(
            f'<!-- evidence: {request} -->: expected FILE | ROW; ROW, '
            "and if wanted '| against: ROW', '| figure: FILE' and '| curve: FILE'"
        )
    evidence = join({file: read_evidence(folder / file) for file in files.split(', ')})
    named = [name.strip().partition(' = ') for name in rows.split(';')]
    rows = {row: name or row for row, _, name in named}
    text = '\n' + table(evidence, rows, settings.get('against')) + '\n\n'
    for option, drawing in (('figure', draw), ('curve', draw_curve)):
        if option in settings:
            drawing(evidence, rows, folder / settings[option])
            text += f'![mPCK of each row, with its interval]({settings[option]})\n\n'
    return text


def table(evidence: Evidence, rows: Mapping[str, str], against: str | None = None) -> str:
    """A table of scores, in percent, with intervals (`evidence.estimate`).

    Args:
        evidence: whose.
        rows: its rows and floors, and the names to show.
        against: a row whose mPCK is subtracted from the others', or ``above``.
    """
    header = ['', 'seeds', *COLUMNS] + (['more than the row above'] if against == 'above' else [])
    if against not in (None, 'above'):
        header.append(f'more than {against}')
    body = []
    above = None
    for row, name in rows.items():
        if row in evidence.floors:
            cells = [f'{evidence.floors[row][metric].mean():.1f}' for metric in COLUMNS]
            body.append([name, '–', *cells, *['–'] * (against is not None)])
            above = None  # a floor has no episodes of its own to subtract
            continue
        estimates = [estimate(evidence.of(row, metric)) for metric in COLUMNS]
        cells = [name, str(len(evidence.scores[row])), *map(_interval, estimates)]
        if against is not None:
            other = above if against == 'above' else against
            known = other not in (row, None)
            apart = difference(evidence, row, other, 'mPCK') if known else None
            cells.append('–' if apart is None else _interval(apart, sign='+'))
        above = row
        body.append(cells)
    return format_table(header, body, 'markdown')


def _interval(value: Estimate, sign: str = '') -> str:
    return f'{value.mean:{sign}.1f} ± {value.half_width:.1f}'


def draw(evidence: Evidence, rows: Mapping[str, str], path: Path) -> None:
    """Draw each row's mPCK with its interval, and the floors as lines, as an SVG."""
    from matplotlib.figure import Figure

    trained = [row for row in rows if row in evidence.scores]
    figure = Figure(figsize=(7, 0.6 + 0.35 * len(trained)), layout='tight')
    axes = figure.subplots()
    for row in rows:
        if row in evidence.floors:
            axes.axvline(evidence.floors[row]['mPCK'].mean(), color='grey', linestyle=':')
    for height, row in enumerate(reversed(trained)):
        value = estimate(evidence.of(row, 'mPCK'))
        axes.errorbar(value.mean, height, xerr=value.half_width, fmt='o', color='C0', capsize=3)
    axes.set_yticks(range(len(trained)), [rows[row] for row in trained[::-1]])
    axes.set_xlabel('mPCK; dotted: what needs no training')
    _save(figure, path)


def draw_curve(evidence: Evidence, rows: Mapping[str, str], path: Path) -> None:
    """Draw the mPCK of rows named by numbers of training categories, as an SVG.

    Raises:
        InputError: the name of a row, other than a floor's, is no number.
    """
    from matplotlib.figure import Figure

    trained = {row: name for row, name in rows.items() if row in evidence.scores}
    if not all(name.isdecimal() for name in trained.values()):
        raise InputError(f'curve: {path.name}: these are no numbers: {", ".join(trained.values())}')
    figure = Figure(figsize=(5, 3), layout='tight')
    axes = figure.subplots()
    for row in rows:
        if row in evidence.floors:
            axes.axhline(evidence.floors[row]['mPCK'].mean(), color='grey', linestyle=':')
    numbers = [int(name) for name in trained.values()]
    values = [estimate(evidence.of(row, 'mPCK')) for row in trained]
    means, widths = [one.mean for one in values], [one.half_width for one in values]
    axes.errorbar(numbers, means, yerr=widths, fmt='o-', capsize=3)
    axes.set_xscale('log')
    axes.set_xticks(numbers, trained.values())
    axes.minorticks_off()
    axes.set_xlabel('categories trained on')
    axes.set_ylabel('mPCK; dotted: no training')
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import rc_context

    with rc_context({'svg.hashsalt': 'fmmp'}), atomic_path(path) as scratch:
        figure.savefig(scratch, format='svg', metadata={'Date': None})
