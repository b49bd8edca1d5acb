# The paper's main table: five splits, one and five shots.
#   python tools/sweep.py configs/sweeps/paper.py
configs = {'FMMP': 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py'}
splits = [1, 2, 3, 4, 5]
shots = [1, 5]
seeds = [0]
