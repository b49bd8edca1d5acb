# What `starter` in place of a checkpoint stands for: see docs/starter.md. Its data set is that of the
# config beside the word, with room for as many keypoints as that says.
_base_ = ['../matching/efficientnet_lite0_mp100_split1.py']

data = dict(data_cfg=dict(num_keypoints=100))
