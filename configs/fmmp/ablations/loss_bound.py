# A distance counts at most a tenth of the image's side in the loss, so what cannot be found does not pull.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(loss_bound=0.1))
