_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

data = dict(
    train=dict(num_shots=5),
    val=dict(num_shots=5),
    test=dict(num_shots=5),
)
