# The same on photographs of one mouse, which are not in the repository; 45 pairs.
#   python tools/sweep.py configs/sweeps/benchmark_mouse.py
_base_ = ['benchmark_posed.py']
cfg_options = {
    'data.test.ann_file': 'data/photographs/mouse/unified.json',
    'data.test.img_prefix': 'data/photographs/mouse/images/',
    'data.test.num_queries': 15,
    'data.test.num_episodes': 3,
}
