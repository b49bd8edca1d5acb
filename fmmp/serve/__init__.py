"""Suggestions in the tools that people label with: Label Studio, X-AnyLabeling, CVAT.

``python -m fmmp.serve`` answers the first two by HTTP; `fmmp.serve.cvat` is CVAT's function.
"""
