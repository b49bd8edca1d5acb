"""Annotations, episodes, crops, padding, structural references and metrics of CAPE data."""
