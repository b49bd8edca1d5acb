# MP-100 in its fifteen split files; the default is split 1. Many of their skeletons are empty:
# give links in a skeleton_file, or set padding='zero' in each subset's data_cfg.
_base_ = ['mp100.py']
data_root = 'data/mp100'
annotations = f'{data_root}/annotations/mp100_split1'

data = dict(
    train=dict(ann_file=f'{annotations}_train.json', skeleton_base='mp100'),
    val=dict(ann_file=f'{annotations}_val.json', skeleton_base='mp100'),
    test=dict(ann_file=f'{annotations}_test.json', skeleton_base='mp100'),
)

del data_root, annotations
