# Without the graph: what the graph is to be compared with.
_base_ = ['poseanything_tiny_mp100_split1.py']

model = dict(keypoint_head=dict(graph=None))
