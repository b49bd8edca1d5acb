_base_ = ['../1shot/capeformer_r50_mp100_split3.py']

data = dict(num_shots=5)
