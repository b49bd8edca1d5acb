_base_ = ['poseanything_tiny_mp100_split1.py']

data = dict(
    train=dict(valid_class_ids=dict(split=4)),
    val=dict(valid_class_ids=dict(split=4)),
    test=dict(valid_class_ids=dict(split=4)),
)
