# MP-100 with every category padded by zeros to 100 keypoints, and no structural references.
_base_ = ['mp100.py']
padding = dict(data_cfg=dict(padding='zero'))

data = dict(
    data_cfg=dict(num_keypoints=100, num_references=0),
    train=padding,
    val=padding,
    test=padding,
)

del padding
