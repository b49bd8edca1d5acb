# Train on the categories outside a super-category, validate and test on those inside.
_base_ = ['../1shot/poseanything_tiny_mp100_split1.py']

data = dict(
    train=dict(valid_class_ids=dict(_delete_=True, super_category='human_body', subset='train')),
    val=dict(valid_class_ids=dict(_delete_=True, super_category='human_body', subset='val')),
    test=dict(valid_class_ids=dict(_delete_=True, super_category='human_body', subset='test')),
)
