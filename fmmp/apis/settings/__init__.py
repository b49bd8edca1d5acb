"""What a config may say: checked before a training starts, and remembered in its checkpoints."""
