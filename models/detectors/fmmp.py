"""FMMP, the detector (paper, Section 3)."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from fmmp.models.backbones.pretrained import load_pretrained
from mmpose.core.post_processing import transform_preds
from mmpose.models import builder
from mmpose.models.builder import POSENETS
from mmpose.models.detectors.base import BasePose
from torch import Tensor

from fmmp.errors import InputError


@POSENETS.register_module()
class FMMP(BasePose):
    """Category-agnostic pose estimation by recurrent feature mining.

    An episode's images pass backbone and neck, then the head finds the support's keypoints in the
    query. Everywhere the supports come first and the query last.

    Args:
        backbone: config of an MMPose backbone that gives one map a level, fine to coarse.
        neck: config of the neck that turns them into tokens.
        keypoint_head: config of the head.
        train_cfg: settings for training; none so far.
        test_cfg: ``query_batch_size``: queries of an episode that pass the head together [all].
        pretrained: the backbone's initial weights, such as ``torchvision://resnet50``, or a file.

    Attributes:
        precision: what :meth:`forward` computes in; torch.bfloat16 where autocast allows.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        keypoint_head: dict,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        for key in ('pretrained', 'init_cfg'):  # backbones' own loading may run a file's code
            if backbone.get(key):
                raise InputError(f'model.backbone.{key}: name the file as model.pretrained instead')
        self.backbone = builder.build_backbone(backbone)
        self.neck = builder.build_neck(neck)
        self.keypoint_head = builder.build_head(keypoint_head)
        self.test_cfg = test_cfg or {}
        self.precision = torch.float32
        self.init_weights(pretrained)

    def init_weights(self, pretrained: str | None = None) -> None:
        """Initialise the weights, the backbone's from ``pretrained`` if given."""
        self.backbone.init_weights()
        if pretrained is not None:
            load_pretrained(self.backbone, pretrained)
        self.neck.init_weights()
        self.keypoint_head.init_weights()

    def extract_tokens(self, imgs: Tensor) -> tuple[Tensor, list[tuple[int, int]]]:
        """Backbone and neck.

        Args:
            imgs: (B, G, 3, H, W).

        Returns:
            tokens (B, G, N, D), and each level's (height, width).
        """
        tokens, levels = self.neck(self.backbone(imgs.flatten(0, 1)))
        return tokens.unflatten(0, imgs.shape[:2]), levels

    def forward_points(
        self, imgs: Tensor, points: Tensor, visible: Tensor, reference_index: Tensor
    ) -> Tensor:
        """Find the query's keypoints.

        Args:
            imgs: (B, S+1, 3, H, W), normalised, the query last.
            points: (B, S+1, K, 2) in [0, 1]; the query's are ignored.
            visible: (B, S+1, K) bool; the query's is ignored.
            reference_index: (B, S+1, K, ≥M) long; the query's is ignored.

        Returns:
            (B, L, K, 2), each layer's points in [0, 1].
        """
        tokens, levels = self.extract_tokens(imgs)
        return self.keypoint_head(
            tokens[:, :-1],
            tokens[:, -1],
            levels,
            points[:, :-1],
            visible[:, :-1],
            reference_index[:, :-1],
        )

    def loss(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
        num_keypoints: Tensor,
    ) -> dict[str, Tensor]:
        """The losses of a batch of episodes.

        Args:
            imgs, points, visible, reference_index: as of :meth:`forward_points`; here the query's
                points and visibility are the targets.
            num_keypoints: (B,) long, K_c.

        Returns:
            ``loss_real`` and ``loss_mix``, to be summed.
        """
        return sum_layers(self.layer_losses(imgs, points, visible, reference_index, num_keypoints))

    def layer_losses(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
        num_keypoints: Tensor,
    ) -> dict[str, Tensor]:
        """The losses of a batch, as of :meth:`loss`, by layer: ``real`` and ``mix``, (L,)."""
        predictions = self.forward_points(imgs, points, visible, reference_index)
        return self.keypoint_head.layer_losses(
            predictions, points[:, -1], visible[:, -1], num_keypoints
        )

    def predict_episodes(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
        num_queries: int,
    ) -> Tensor:
        """Find the keypoints of several queries that share their supports.

        Supports pass backbone and neck once; the result is that of pair by pair.

        Args:
            imgs: (B, S+Q, 3, H, W), the queries last.
            points, visible, reference_index: (B, S+Q, K, …); the queries' are ignored.
            num_queries: Q.

        Returns:
            (B, Q, K, 2), the last layer's points in [0, 1].
        """
        shots = imgs.shape[1] - num_queries
        tokens, levels = self.extract_tokens(imgs)
        at_once = self.test_cfg.get('query_batch_size', num_queries)
        supports = [tensor[:, :shots] for tensor in (points, visible, reference_index)]
        found = []
        for query_tokens in tokens[:, shots:].split(at_once, dim=1):
            predictions = self.keypoint_head(
                tokens[:, :shots], query_tokens.flatten(0, 1), levels, *supports
            )
            found.append(predictions[:, -1].unflatten(0, (-1, query_tokens.shape[1])))
        return torch.cat(found, dim=1)

    def forward(self, return_loss: bool = True, **episodes: Tensor) -> dict:
        """Losses for training, or decoded predictions.

        Args:
            return_loss: which of the two.
            episodes: a batch as the data sets give it; see :meth:`forward_train` and
                :meth:`forward_test`.
        """
        device = next(self.parameters()).device
        episodes = {name: value.to(device) for name, value in episodes.items()}
        mixed = self.precision != torch.float32
        with torch.autocast(device.type, self.precision if mixed else None, enabled=mixed):
            return self.forward_train(**episodes) if return_loss else self.forward_test(**episodes)

    def forward_train(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
        num_keypoints: Tensor,
        **_: Tensor,
    ) -> dict[str, Tensor]:
        """:meth:`loss`, of a batch that may hold more than the model needs.

        Beside the losses it gives each layer's share of them, such as ``real_layer1``, for the log.
        """
        by_layer = self.layer_losses(imgs, points, visible, reference_index, num_keypoints)
        losses = sum_layers(by_layer)
        for kind, values in by_layer.items():
            for layer, value in enumerate(values.detach(), start=1):
                losses[f'{kind}_layer{layer}'] = value
        return losses

    @staticmethod
    def _parse_losses(losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The sum of what is named a loss, and numbers for the log, means over the processes.

        Replaces MMPose's, which waits for the device, and for the other processes, once a number.
        """
        loss = sum(value for name, value in losses.items() if 'loss' in name)
        numbers = torch.stack([*losses.values(), loss]).detach()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(numbers.div_(dist.get_world_size()))
        return loss, dict(zip([*losses, 'loss'], numbers.tolist(), strict=True))

    def forward_test(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
        center: Tensor,
        scale: Tensor,
        index: Tensor,
        **_: Tensor,
    ) -> dict[str, list]:
        """Find the queries' keypoints and map them to their images.

        Args:
            imgs, points, visible, reference_index: as of :meth:`predict_episodes`.
            center: (B, Q, 2), the centres of the queries' boxes in pixels.
            scale: (B, Q, 2), their sizes / 200, as MMPose has it.
            index: (B,), the episodes' numbers.

        Returns:
            ``predictions``: a list of (Q, K, 2) arrays in image pixels, an episode each, and
            ``index``, a list of the episodes' numbers.
        """
        predictions = self.predict_episodes(
            imgs, points, visible, reference_index, num_queries=center.shape[1]
        )
        height, width = imgs.shape[-2:]
        pixels = predictions.double().cpu().numpy() * (width, height)
        boxes = torch.cat((center, scale), dim=-1).double().cpu().numpy()  # (B, Q, 4)
        decoded = np.empty_like(pixels)
        for episode, query in np.ndindex(boxes.shape[:2]):
            center, scale = np.split(boxes[episode, query], 2)
            decoded[episode, query] = transform_preds(
                pixels[episode, query], center, scale, (width, height)
            )
        return {'predictions': list(decoded), 'index': index.tolist()}

    def show_result(self, **kwargs: object) -> None:
        """Not used: pictures are drawn by ``fmmp.visualization``."""
        raise NotImplementedError('draw with fmmp.visualization')


def sum_layers(by_layer: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each kind's loss, such as ``loss_real``, from its losses by layer (L,)."""
    return {f'loss_{kind}': losses.sum() for kind, losses in by_layer.items()}
