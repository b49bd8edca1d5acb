"""The page: label one picture in the browser, get the rest, correct, export.

``python -m fmmp.app FOLDER`` serves it; see docs/using.md.
"""
