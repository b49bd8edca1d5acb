// Calls of the ops through the dispatcher, and what all their kernels ask of the inputs.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <tuple>
#include <type_traits>

namespace fmmp {

using Pair = std::tuple<at::Tensor, at::Tensor>;
using Triple = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
using Quintuple = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

// `Shapes` is const at::Tensor& or c10::SymIntArrayRef, the two overloads of each op.
template <typename Signature, typename Shapes>
auto find_op(const char* name) {
  const bool ints = std::is_same<Shapes, c10::SymIntArrayRef>::value;
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, ints ? "ints" : "")
      .template typed<Signature>();
}

template <typename Shapes>
Pair call_ms_deform_sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  using Signature =
      Pair(const at::Tensor&, Shapes, Shapes, const at::Tensor&, const at::Tensor&);
  static auto op = find_op<Signature, Shapes>("fmmp::ms_deform_sample");
  return op.call(value, shapes, starts, locations, weights);
}

template <typename Shapes>
Triple call_ms_deform_sample_backward(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    Shapes shapes, Shapes starts, const at::Tensor& locations, const at::Tensor& weights) {
  using Signature = Triple(
      const at::Tensor&, const at::Tensor&, const at::Tensor&, Shapes, Shapes, const at::Tensor&,
      const at::Tensor&);
  static auto op = find_op<Signature, Shapes>("fmmp::_ms_deform_sample_backward");
  return op.call(grad_sampled, grad_inside, value, shapes, starts, locations, weights);
}

template <typename Shapes>
at::Tensor call_fused_ms_deform_attn(
    const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  using Signature = at::Tensor(
      const at::Tensor&, Shapes, Shapes, const at::Tensor&, const at::Tensor&, const at::Tensor&,
      const at::Tensor&);
  static auto op = find_op<Signature, Shapes>("fmmp::fused_ms_deform_attn");
  return op.call(tokens, shapes, starts, locations, weights, value_weight, value_bias);
}

template <typename Shapes>
Quintuple call_fused_ms_deform_attn_backward(
    const at::Tensor& grad, const at::Tensor& tokens, Shapes shapes, Shapes starts,
    const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
    const at::Tensor& value_bias) {
  using Signature = Quintuple(
      const at::Tensor&, const at::Tensor&, Shapes, Shapes, const at::Tensor&, const at::Tensor&,
      const at::Tensor&, const at::Tensor&);
  static auto op = find_op<Signature, Shapes>("fmmp::_fused_ms_deform_attn_backward");
  return op.call(grad, tokens, shapes, starts, locations, weights, value_weight, value_bias);
}

inline void check_like(const at::Tensor& tensor, const char* name, const at::Tensor& value) {
  TORCH_CHECK_VALUE(
      tensor.scalar_type() == value.scalar_type() && tensor.device() == value.device(), name,
      " must have the dtype and the device of the values, ", value.scalar_type(), " on ",
      value.device(), ", got ", tensor.scalar_type(), " on ", tensor.device());
}

// Raises ValueError unless value is (B, N, 1 or G, C), sampling_locations (B, Q, G, L, P, 2) and
// attention_weights (B, Q, G, L, P).
inline void check_inputs(
    const at::Tensor& value, const c10::SymInt& levels, const at::Tensor& locations,
    const at::Tensor& weights) {
  TORCH_CHECK_VALUE(
      value.dim() == 4 && locations.dim() == 6 && weights.dim() == 5 &&
          locations.sym_size(5) == 2,
      "expected values (B, N, heads, C), sampling_locations (B, Q, heads, L, P, 2) and "
      "attention_weights (B, Q, heads, L, P), got ", value.sym_sizes(), ", ",
      locations.sym_sizes(), " and ", weights.sym_sizes());
  TORCH_CHECK_VALUE(
      locations.sym_size(0) == value.sym_size(0), "sampling_locations have a batch of ",
      locations.sym_size(0), ", the values one of ", value.sym_size(0));
  TORCH_CHECK_VALUE(
      value.sym_size(2) == 1 || value.sym_size(2) == locations.sym_size(2),
      "the values must have as many heads as the sampling_locations, ", locations.sym_size(2),
      ", got ", value.sym_size(2));
  TORCH_CHECK_VALUE(
      locations.sym_size(3) == levels, "sampling_locations have ", locations.sym_size(3),
      " levels, spatial_shapes ", levels);
  TORCH_CHECK_VALUE(
      locations.sym_sizes().slice(0, 5) == weights.sym_sizes(),
      "attention_weights must have one weight a sampling location, ",
      locations.sym_sizes().slice(0, 5), ", got ", weights.sym_sizes());
  TORCH_CHECK_VALUE(value.sym_size(3) > 0, "the values have no channels");
  const auto type = value.scalar_type();
  TORCH_CHECK_VALUE(
      type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16,
      "the values must be float32, float64, float16 or bfloat16, got ", type);
  check_like(locations, "sampling_locations", value);
  check_like(weights, "attention_weights", value);
}

// What the fused op asks besides: tokens (B, N, D), value_weight (G * C, D), value_bias (G * C).
inline void check_projection(
    const at::Tensor& tokens, const at::Tensor& locations, const at::Tensor& weight,
    const at::Tensor& bias) {
  TORCH_CHECK_VALUE(
      tokens.dim() == 3 && locations.dim() == 6 && weight.dim() == 2 && bias.dim() == 1 &&
          weight.sym_size(1) == tokens.sym_size(2) && weight.sym_size(0) == bias.sym_size(0) &&
          locations.sym_size(2) > 0 && weight.sym_size(0) % locations.sym_size(2) == 0,
      "expected tokens (B, N, D), sampling_locations (B, Q, heads, L, P, 2), value_weight "
      "(heads * C, D) and value_bias (heads * C), got ", tokens.sym_sizes(), ", ",
      locations.sym_sizes(), ", ", weight.sym_sizes(), " and ", bias.sym_sizes());
  check_like(weight, "value_weight", tokens);
  check_like(bias, "value_bias", tokens);
}

// What the backward ops ask of gradients, so that a call from elsewhere reads no memory but theirs.
inline void check_gradients(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    const at::Tensor& weights) {
  check_like(grad_sampled, "grad_sampled", value);
  check_like(grad_inside, "grad_inside", value);
  TORCH_CHECK_VALUE(
      grad_sampled.dim() == 4 && grad_sampled.sym_size(3) == value.sym_size(3) &&
          grad_sampled.sym_sizes().slice(0, 3) == weights.sym_sizes().slice(0, 3) &&
          grad_inside.sym_sizes() == weights.sym_sizes().slice(0, 3),
      "expected gradients (B, Q, heads, C) and (B, Q, heads), got ", grad_sampled.sym_sizes(),
      " and ", grad_inside.sym_sizes());
}

inline void check_fused_gradient(
    const at::Tensor& grad, const at::Tensor& locations, const at::Tensor& value_weight) {
  check_like(grad, "grad", value_weight);
  TORCH_CHECK_VALUE(
      grad.dim() == 3 && grad.sym_size(0) == locations.sym_size(0) &&
          grad.sym_size(1) == locations.sym_size(1) &&
          grad.sym_size(2) == value_weight.sym_size(0),
      "expected a gradient (B, Q, heads * C), got ", grad.sym_sizes());
}

// The number of levels; raises ValueError unless shapes are (L, 2) and starts (L,) integers.
inline c10::SymInt check_levels(const at::Tensor& shapes, const at::Tensor& starts) {
  TORCH_CHECK_VALUE(
      shapes.dim() == 2 && starts.dim() == 1 && shapes.sym_size(1) == 2 &&
          shapes.sym_size(0) == starts.sym_size(0),
      "expected spatial_shapes (L, 2) and level_start_index (L,), got ", shapes.sym_sizes(),
      " and ", starts.sym_sizes());
  TORCH_CHECK_VALUE(
      shapes.scalar_type() == at::kLong && starts.scalar_type() == at::kLong,
      "spatial_shapes and level_start_index must be int64, got ", shapes.scalar_type(), " and ",
      starts.scalar_type());
  return shapes.sym_size(0);
}

template <typename Int>
c10::SymInt check_levels(c10::ArrayRef<Int> shapes, c10::ArrayRef<Int> starts) {
  TORCH_CHECK_VALUE(
      shapes.size() == 2 * starts.size(),
      "expected a height, a width and a start for each level, got ", shapes.size(),
      " heights and widths and ", starts.size(), " starts");
  return c10::SymInt(static_cast<int64_t>(starts.size()));
}

}  // namespace fmmp
