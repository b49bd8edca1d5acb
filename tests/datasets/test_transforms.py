import numpy as np
import pytest
import torch
from fmmp.datasets.transforms import ToNormalizedTensor
from mmpose.datasets.pipelines import NormalizeTensor, ToTensor

STATISTICS = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}


def test_images_become_what_mmposes_transforms_make_of_them_bit_for_bit():
    values = np.random.default_rng(0).integers(0, 256, (48, 56, 3)).astype(np.uint8)
    assert len(np.unique(values)) == 256
    for image in (values, values[:, ::-1], np.asfortranarray(values)):
        expected = NormalizeTensor(**STATISTICS)(ToTensor()({'img': image.copy()}))['img']
        tensor = ToNormalizedTensor(**STATISTICS)({'img': image})['img']
        assert torch.equal(tensor, expected) and tensor.is_contiguous()


@pytest.mark.parametrize(
    'image', [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8)], ids=['float32', 'grey']
)
def test_other_images_are_refused_with_the_way_out(image):
    with pytest.raises(TypeError, match=r'uint8 images \(H, W, 3\).*NormalizeTensor'):
        ToNormalizedTensor(**STATISTICS)({'img': image})
