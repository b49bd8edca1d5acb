"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

FORMATS = ('markdown', 'csv', 'latex')
_LATEX = {
    '\\': r'\textbackslash{}',
    **{sign: f'\\{sign}' for sign in '&%$#_{}'},
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '±': r'$\pm$',
    '–': '--',
    '−': '$-$',
}


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], style: str) -> str:
    """Lay out a table whose first column names the rows.

    Args:
        header: the columns' titles.
        rows: the cells of every row, as text.
        style: one of ``FORMATS``; LaTeX is a ``tabular`` with the rules of its package booktabs.

    Returns:
        The lines, without a line break at the end.
    """
    if style == 'csv':
        text = io.StringIO()
        csv.writer(text, lineterminator='\n').writerows([header, *rows])
        return text.getvalue().rstrip('\n')
    if style == 'latex':
        head, *body = (
            ' & '.join(''.join(_LATEX.get(sign, sign) for sign in cell) for cell in row) + r' \\'
            for row in [header, *rows]
        )
        columns = 'l' + 'r' * (len(header) - 1)
        begin, end = rf'\begin{{tabular}}{{{columns}}}', r'\end{tabular}'
        return '\n'.join([begin, r'\toprule', head, r'\midrule', *body, r'\bottomrule', end])
    cells = [[cell.replace('|', r'\|') for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column), default=0) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        aligned = [row[0].ljust(widths[0])]
        aligned += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return f'| {" | ".join(aligned)} |'

    rule = '|'.join(['-' * (widths[0] + 2), *('-' * (width + 1) + ':' for width in widths[1:])])
    return '\n'.join([line(cells[0]), f'|{rule}|', *map(line, cells[1:])])
