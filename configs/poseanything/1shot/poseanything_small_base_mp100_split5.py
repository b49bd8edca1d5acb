_base_ = ['poseanything_small_base_mp100_split1.py']

data = dict(
    train=dict(valid_class_ids=dict(split=5)),
    val=dict(valid_class_ids=dict(split=5)),
    test=dict(valid_class_ids=dict(split=5)),
)
