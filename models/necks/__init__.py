"""The neck: a feature pyramid of the backbone's stages."""
