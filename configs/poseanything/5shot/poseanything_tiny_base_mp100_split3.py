_base_ = ['../1shot/poseanything_tiny_base_mp100_split3.py']

data = dict(num_shots=5, samples_per_gpu=8)
