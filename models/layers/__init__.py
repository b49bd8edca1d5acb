"""Miner, FGSA attention and encodings."""
