# The paper's ablation, split 1, 1 shot: each row adds a part. The data as in paper.py.
#   python tools/sweep.py configs/sweeps/ablations.py
configs = {
    'base': 'configs/fmmp/ablations/1_base.py',
    '+ recurrent support mining': 'configs/fmmp/ablations/2_recurrent_support_mining.py',
    '+ structural references': 'configs/fmmp/ablations/3_structural_references.py',
    '+ mixup padding': 'configs/fmmp/ablations/4_mixup_padding.py',
    '+ mixup loss': 'configs/fmmp/ablations/5_mixup_loss.py',
}
splits = [1]
shots = [1]
seeds = [0]
cfg_options = {
    f'data.{subset}.ann_file': 'data/mp100/annotations/split{split}.json'
    for subset in ('train', 'val', 'test')
}
