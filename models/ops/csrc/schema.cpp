// The ops of FMMP. Their kernels are in cpu.cpp, cuda.cpp, meta.cpp, autograd.cpp and autocast.cpp.
//
// Levels are given as tensors, (L, 2) heights and widths and (L,) starts, or as lists of ints,
// heights and widths in one list: h0, w0, h1, w1, ...
#include <torch/library.h>

#include "ops.h"

namespace fmmp {
namespace {

// Deformable DETR's op: every group of samples is a head with values of its own.
template <typename Shapes>
at::Tensor ms_deform_attn(
    const at::Tensor& value,
    Shapes spatial_shapes,
    Shapes level_start_index,
    const at::Tensor& sampling_locations,
    const at::Tensor& attention_weights) {
  TORCH_CHECK_VALUE(
      value.dim() == 4 && sampling_locations.dim() == 6 &&
          value.sym_size(2) == sampling_locations.sym_size(2),
      "value must be (B, N, H, C) and sampling_locations (B, Q, H, L, P, 2) with the same number "
      "of heads H, got ", value.sym_sizes(), " and ", sampling_locations.sym_sizes());
  const auto sampled = call_ms_deform_sample<Shapes>(
      value, spatial_shapes, level_start_index, sampling_locations, attention_weights);
  return std::get<0>(sampled).flatten(2);
}

}  // namespace

TORCH_LIBRARY(fmmp, m) {
  m.def(
      "ms_deform_attn(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_locations, Tensor attention_weights) -> Tensor",
      ms_deform_attn<const at::Tensor&>);
  m.def(
      "ms_deform_attn.ints(Tensor value, SymInt[] spatial_shapes, SymInt[] level_start_index, "
      "Tensor sampling_locations, Tensor attention_weights) -> Tensor",
      ms_deform_attn<c10::SymIntArrayRef>);

  m.def(
      "ms_deform_sample(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_locations, Tensor attention_weights) -> (Tensor sampled, Tensor inside)");
  m.def(
      "ms_deform_sample.ints(Tensor value, SymInt[] spatial_shapes, SymInt[] level_start_index, "
      "Tensor sampling_locations, Tensor attention_weights) -> (Tensor sampled, Tensor inside)");
  m.def(
      "_ms_deform_sample_backward(Tensor grad_sampled, Tensor grad_inside, Tensor value, "
      "Tensor spatial_shapes, Tensor level_start_index, Tensor sampling_locations, "
      "Tensor attention_weights) -> (Tensor, Tensor, Tensor)");
  m.def(
      "_ms_deform_sample_backward.ints(Tensor grad_sampled, Tensor grad_inside, Tensor value, "
      "SymInt[] spatial_shapes, SymInt[] level_start_index, Tensor sampling_locations, "
      "Tensor attention_weights) -> (Tensor, Tensor, Tensor)");

  m.def(
      "fused_ms_deform_attn(Tensor tokens, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_locations, Tensor attention_weights, Tensor value_weight, "
      "Tensor value_bias) -> Tensor");
  m.def(
      "fused_ms_deform_attn.ints(Tensor tokens, SymInt[] spatial_shapes, "
      "SymInt[] level_start_index, Tensor sampling_locations, Tensor attention_weights, "
      "Tensor value_weight, Tensor value_bias) -> Tensor");
  m.def(
      "_fused_ms_deform_attn_backward(Tensor grad, Tensor tokens, Tensor spatial_shapes, "
      "Tensor level_start_index, Tensor sampling_locations, Tensor attention_weights, "
      "Tensor value_weight, Tensor value_bias) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_fused_ms_deform_attn_backward.ints(Tensor grad, Tensor tokens, SymInt[] spatial_shapes, "
      "SymInt[] level_start_index, Tensor sampling_locations, Tensor attention_weights, "
      "Tensor value_weight, Tensor value_bias) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
}

}  // namespace fmmp
