"""SynthPose 2: pictures of freely licensed three-dimensional models, with exact keypoints.

Data flows from a reader of a package's files (models in poses, with keypoints) through a scene (the
camera, lights, clutter, background) and the renderer to pictures and annotations of MP-100's form.
"""
