# The paper's ablation, split 1, 1 shot: each row adds a part.
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
