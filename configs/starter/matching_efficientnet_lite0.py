# Matching without training, the second floor beside copying (tools/test.py --matching-floor), on
# the data set of another config.
_base_ = ['../matching/efficientnet_lite0_mp100_split1.py']

data = dict(data_cfg=dict(num_keypoints=100))
