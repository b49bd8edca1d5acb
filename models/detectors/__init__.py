"""The detector: backbone, neck and head under one roof."""
