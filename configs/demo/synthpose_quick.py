# synthpose_matched.py in 560 steps instead of 728: what `bash install.sh demo` trains.
_base_ = ['synthpose_matched.py']

total_epochs = 10
evaluation = dict(interval=10)
