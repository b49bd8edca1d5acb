# Fifth row of the paper's ablation table: the whole method. 78.72 mPCK on split 1, 1-shot.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']
