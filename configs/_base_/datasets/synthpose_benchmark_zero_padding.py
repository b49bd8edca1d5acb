# The same with every category padded by zeros, and no structural references.
_base_ = ['synthpose_benchmark.py']
padding = dict(data_cfg=dict(padding='zero'))

data = dict(data_cfg=dict(num_references=0), train=padding, val=padding, test=padding)

del padding
