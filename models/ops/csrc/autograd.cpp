// The ops' derivatives, themselves ops. Only inputs are saved: what the forward pass sampled is
// sampled again, which costs less time than keeping it costs memory.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops.h"

namespace fmmp {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The levels in a form that outlives the call; a type of its own so that autograd counts it as one
// argument, which has no gradient.
template <typename Shapes>
struct Levels {
  Shapes shapes, starts;

  void save(AutogradContext* ctx) const {
    ctx->saved_data["shapes"] = c10::IValue(shapes);
    ctx->saved_data["starts"] = c10::IValue(starts);
  }
};

template <typename Shapes>
struct Saved;

template <>
struct Saved<const at::Tensor&> {
  at::Tensor shapes, starts;
  explicit Saved(AutogradContext* ctx)
      : shapes(ctx->saved_data["shapes"].toTensor()),
        starts(ctx->saved_data["starts"].toTensor()) {}
};

template <>
struct Saved<c10::SymIntArrayRef> {
  std::vector<c10::SymInt> shapes, starts;
  explicit Saved(AutogradContext* ctx)
      : shapes(ints(ctx->saved_data["shapes"])), starts(ints(ctx->saved_data["starts"])) {}

  static std::vector<c10::SymInt> ints(const c10::IValue& saved) {
    std::vector<c10::SymInt> result;
    for (const c10::IValue& one : saved.toList()) {
      result.push_back(one.toSymInt());
    }
    return result;
  }
};

template <typename Shapes>
struct SampleFunction : torch::autograd::Function<SampleFunction<Shapes>> {
  static variable_list forward(
      AutogradContext* ctx, const at::Tensor& value, const Levels<Shapes>& levels,
      const at::Tensor& locations, const at::Tensor& weights) {
    at::AutoDispatchBelowADInplaceOrView guard;
    ctx->save_for_backward({value, locations, weights});
    levels.save(ctx);
    const auto result = call_ms_deform_sample<Shapes>(
        value, levels.shapes, levels.starts, locations, weights);
    return {std::get<0>(result), std::get<1>(result)};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const Saved<Shapes> levels(ctx);
    const auto result = call_ms_deform_sample_backward<Shapes>(
        grads[0], grads[1], saved[0], levels.shapes, levels.starts, saved[1], saved[2]);
    return {std::get<0>(result), {}, std::get<1>(result), std::get<2>(result)};
  }
};

template <typename Shapes>
struct FusedFunction : torch::autograd::Function<FusedFunction<Shapes>> {
  static at::Tensor forward(
      AutogradContext* ctx, const at::Tensor& tokens, const Levels<Shapes>& levels,
      const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
      const at::Tensor& value_bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    ctx->save_for_backward({tokens, locations, weights, value_weight, value_bias});
    levels.save(ctx);
    return call_fused_ms_deform_attn<Shapes>(
        tokens, levels.shapes, levels.starts, locations, weights, value_weight, value_bias);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const Saved<Shapes> levels(ctx);
    const auto result = call_fused_ms_deform_attn_backward<Shapes>(
        grads[0], saved[0], levels.shapes, levels.starts, saved[1], saved[2], saved[3], saved[4]);
    return {
        std::get<0>(result), {}, std::get<1>(result), std::get<2>(result), std::get<3>(result),
        std::get<4>(result)};
  }
};

variable_list not_twice() {
  TORCH_CHECK(false, "fmmp's ops can be differentiated once only: there is no double backward");
}

// The backward ops are nodes of the graph under create_graph alone.
template <typename Shapes>
struct SampleBackwardFunction : torch::autograd::Function<SampleBackwardFunction<Shapes>> {
  static variable_list forward(
      AutogradContext*, const at::Tensor& grad_sampled, const at::Tensor& grad_inside,
      const at::Tensor& value, const Levels<Shapes>& levels, const at::Tensor& locations,
      const at::Tensor& weights) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto result = call_ms_deform_sample_backward<Shapes>(
        grad_sampled, grad_inside, value, levels.shapes, levels.starts, locations, weights);
    return {std::get<0>(result), std::get<1>(result), std::get<2>(result)};
  }

  static variable_list backward(AutogradContext*, const variable_list&) { return not_twice(); }
};

template <typename Shapes>
struct FusedBackwardFunction : torch::autograd::Function<FusedBackwardFunction<Shapes>> {
  static variable_list forward(
      AutogradContext*, const at::Tensor& grad, const at::Tensor& tokens,
      const Levels<Shapes>& levels, const at::Tensor& locations, const at::Tensor& weights,
      const at::Tensor& value_weight, const at::Tensor& value_bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto result = call_fused_ms_deform_attn_backward<Shapes>(
        grad, tokens, levels.shapes, levels.starts, locations, weights, value_weight, value_bias);
    return {
        std::get<0>(result), std::get<1>(result), std::get<2>(result), std::get<3>(result),
        std::get<4>(result)};
  }

  static variable_list backward(AutogradContext*, const variable_list&) { return not_twice(); }
};

template <typename Shapes>
Pair sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  const auto result = SampleFunction<Shapes>::apply(
      value, Levels<Shapes>{shapes, starts}, locations, weights);
  return {result[0], result[1]};
}

template <typename Shapes>
at::Tensor fused(
    const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  return FusedFunction<Shapes>::apply(
      tokens, Levels<Shapes>{shapes, starts}, locations, weights, value_weight, value_bias);
}

template <typename Shapes>
Triple sample_backward(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    Shapes shapes, Shapes starts, const at::Tensor& locations, const at::Tensor& weights) {
  const auto result = SampleBackwardFunction<Shapes>::apply(
      grad_sampled, grad_inside, value, Levels<Shapes>{shapes, starts}, locations, weights);
  return {result[0], result[1], result[2]};
}

template <typename Shapes>
Quintuple fused_backward(
    const at::Tensor& grad, const at::Tensor& tokens, Shapes shapes, Shapes starts,
    const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
    const at::Tensor& value_bias) {
  const auto result = FusedBackwardFunction<Shapes>::apply(
      grad, tokens, Levels<Shapes>{shapes, starts}, locations, weights, value_weight, value_bias);
  return {result[0], result[1], result[2], result[3], result[4]};
}

template <typename Shapes>
void register_kernels(torch::Library& m, const std::string& overload) {
  m.impl(("ms_deform_sample" + overload).c_str(), sample<Shapes>);
  m.impl(("fused_ms_deform_attn" + overload).c_str(), fused<Shapes>);
  m.impl(("_ms_deform_sample_backward" + overload).c_str(), sample_backward<Shapes>);
  m.impl(("_fused_ms_deform_attn_backward" + overload).c_str(), fused_backward<Shapes>);
}

}  // namespace

TORCH_LIBRARY_IMPL(fmmp, Autograd, m) {
  register_kernels<const at::Tensor&>(m, "");
  register_kernels<c10::SymIntArrayRef>(m, ".ints");
}

}  // namespace fmmp
