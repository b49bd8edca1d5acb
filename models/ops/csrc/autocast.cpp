// Under autocast everything is computed in float32: bfloat16 would round a location to an eighth of
// a pixel on a map 32 wide.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include "ops.h"

namespace fmmp {
namespace {

template <c10::DispatchKey key, c10::DeviceType device>
struct Autocast {
  static at::Tensor cast(const at::Tensor& tensor) {
    return at::autocast::cached_cast(at::kFloat, tensor, device);
  }

  template <typename Shapes>
  static Pair sample(
      const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
      const at::Tensor& weights) {
    c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    const auto result = call_ms_deform_sample<Shapes>(
        cast(value), shapes, starts, cast(locations), cast(weights));
    return {
        std::get<0>(result).to(value.scalar_type()), std::get<1>(result).to(value.scalar_type())};
  }

  template <typename Shapes>
  static at::Tensor fused(
      const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
      const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
    c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    return call_fused_ms_deform_attn<Shapes>(
               cast(tokens), shapes, starts, cast(locations), cast(weights), cast(value_weight),
               cast(value_bias))
        .to(tokens.scalar_type());
  }

  static void register_kernels(torch::Library& m) {
    m.impl("ms_deform_sample", sample<const at::Tensor&>);
    m.impl("ms_deform_sample.ints", sample<c10::SymIntArrayRef>);
    m.impl("fused_ms_deform_attn", fused<const at::Tensor&>);
    m.impl("fused_ms_deform_attn.ints", fused<c10::SymIntArrayRef>);
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fmmp, AutocastCPU, m) {
  Autocast<c10::DispatchKey::AutocastCPU, c10::kCPU>::register_kernels(m);
}

TORCH_LIBRARY_IMPL(fmmp, AutocastCUDA, m) {
  Autocast<c10::DispatchKey::AutocastCUDA, c10::kCUDA>::register_kernels(m);
}

}  // namespace fmmp
