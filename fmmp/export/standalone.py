"""Scripts of one file: what they import of FMMP is put into them."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def inline_imports(script: Path, package: str) -> str:
    """A script's source, with the source of the modules of ``package`` in place of their imports.

    A module that several of them import is put in once, where it is first imported.

    Args:
        script: it imports names from these modules at its top level, as they do from each other.
            No two define the same name.
        package: such as ``fmmp``.
    """
    source = script.read_text(encoding='utf-8')
    return '\n'.join(_inlined(source, package, set())) + '\n'


def _inlined(source: str, package: str, present: set[str]) -> list[str]:
    """The lines of a source; the modules that are put in are added to those ``present``."""
    lines, kept, end = source.splitlines(), [], 0
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] == package:
            kept += lines[end : node.lineno - 1]
            end = node.end_lineno
            if node.module not in present:
                present.add(node.module)
                kept += ['', '', *_inlined(_body(node.module), package, present)]
    return kept + lines[end:]


def _body(module: str) -> str:
    """A module's source, its docstring as a comment."""
    source = Path(find_spec(module).origin).read_text(encoding='utf-8')
    docstring, *_ = ast.parse(source).body
    comment = f'# {module}: {docstring.value.value.splitlines()[0]}'
    return '\n'.join([comment, *source.splitlines()[docstring.end_lineno :]])
