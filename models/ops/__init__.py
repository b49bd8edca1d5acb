"""Multi-scale deformable attention."""

from .ms_deform_attn import fused_ms_deform_attn, ms_deform_attn, ms_deform_sample

__all__ = ['fused_ms_deform_attn', 'ms_deform_attn', 'ms_deform_sample']
