"""Backbones beside MMPose's, and every backbone's initial weights."""
