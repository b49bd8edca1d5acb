_base_ = ['../../_base_/models/fmmp_r50.py']
