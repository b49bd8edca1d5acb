# synthpose_matched.py in 560 steps instead of 728, so that `bash install.sh demo` ends in ten minutes.
_base_ = ['synthpose_matched.py']

total_epochs = 10
evaluation = dict(interval=10)
