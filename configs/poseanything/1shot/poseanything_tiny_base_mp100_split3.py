_base_ = ['poseanything_tiny_base_mp100_split1.py']

data = dict(
    train=dict(valid_class_ids=dict(split=3)),
    val=dict(valid_class_ids=dict(split=3)),
    test=dict(valid_class_ids=dict(split=3)),
)
