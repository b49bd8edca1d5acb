# The same on photographs of 12 posed kinds, which are not in the repository; 300 pairs.
#   python tools/sweep.py configs/sweeps/benchmark_posed.py
_base_ = ['benchmark_rendered.py']
cfg_options = {
    'data.data_cfg.num_links': 70,
    'data.test.ann_file': 'data/photographs/posed/unified.json',
    'data.test.img_prefix': 'data/photographs/posed/images/',
    'data.test.data_cfg.num_keypoints': 70,
    'data.test.num_queries': 1,
    'data.test.num_episodes': 25,
}
