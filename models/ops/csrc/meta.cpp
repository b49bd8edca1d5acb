// Sizes of the results, for tracing.
#include <torch/library.h>

#include "ops.h"

namespace fmmp {
namespace {

template <typename Shapes>
Pair sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  const auto batch = locations.sym_size(0), queries = locations.sym_size(1);
  const auto heads = locations.sym_size(2), channels = value.sym_size(3);
  return {
      value.new_empty_symint({batch, queries, heads, channels}),
      value.new_empty_symint({batch, queries, heads})};
}

at::Tensor empty_like(const at::Tensor& tensor) {
  return tensor.new_empty_symint(tensor.sym_sizes());
}

template <typename Shapes>
Triple sample_backward(
    const at::Tensor&, const at::Tensor&, const at::Tensor& value, Shapes, Shapes,
    const at::Tensor& locations, const at::Tensor& weights) {
  return {empty_like(value), empty_like(locations), empty_like(weights)};
}

template <typename Shapes>
at::Tensor fused(
    const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  check_projection(tokens, locations, value_weight, value_bias);
  check_inputs(tokens.unsqueeze(2), check_levels(shapes, starts), locations, weights);
  return tokens.new_empty_symint(
      {locations.sym_size(0), locations.sym_size(1), value_weight.sym_size(0)});
}

template <typename Shapes>
Quintuple fused_backward(
    const at::Tensor&, const at::Tensor& tokens, Shapes, Shapes, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  return {
      empty_like(tokens), empty_like(locations), empty_like(weights), empty_like(value_weight),
      empty_like(value_bias)};
}

template <typename Shapes>
void register_kernels(torch::Library& m, const std::string& overload) {
  m.impl(("ms_deform_sample" + overload).c_str(), sample<Shapes>);
  m.impl(("_ms_deform_sample_backward" + overload).c_str(), sample_backward<Shapes>);
  m.impl(("fused_ms_deform_attn" + overload).c_str(), fused<Shapes>);
  m.impl(("_fused_ms_deform_attn_backward" + overload).c_str(), fused_backward<Shapes>);
}

}  // namespace

TORCH_LIBRARY_IMPL(fmmp, Meta, m) {
  register_kernels<const at::Tensor&>(m, "");
  register_kernels<c10::SymIntArrayRef>(m, ".ints");
}

}  // namespace fmmp
