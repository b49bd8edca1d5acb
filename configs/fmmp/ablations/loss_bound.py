# A distance counts at most a tenth of the image's side in the loss, so what cannot be found does not
# pull; from the centre, where most is out of reach, little would be learned.
_base_ = ['initial_points_matching.py']

model = dict(keypoint_head=dict(loss_bound=0.1))
