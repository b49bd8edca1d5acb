// The ops on CUDA devices.
#include <ATen/Dispatch.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "cuda_launch.h"
#include "fused.h"
#include "levels.h"

namespace fmmp {
namespace {

int processors() {
  int count = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(
      &count, cudaDevAttrMultiProcessorCount, c10::cuda::current_device()));
  return count;
}

Sizes sizes(const at::Tensor& value, const at::Tensor& locations) {
  return {
      value.size(0),     value.size(1),     value.size(2),     value.size(3),
      locations.size(1), locations.size(2), locations.size(3), locations.size(4)};
}

// Whether the channels can be read and written 16 bytes at a time.
bool packed(const at::Tensor& a, const at::Tensor& b) {
  const auto aligned = [](const at::Tensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 16 == 0;
  };
  return a.size(-1) * a.element_size() % 16 == 0 && aligned(a) && aligned(b);
}

// What fused.h asks of a device.
template <typename Levels>
struct CudaKernels {
  Levels levels;

  void forward(
      const at::Tensor& value, const at::Tensor& locations, const at::Tensor& weights,
      at::Tensor& sampled, at::Tensor& inside) const {
    if (inside.numel() == 0) {
      return;
    }
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, value.scalar_type(), "ms_deform_sample", [&] {
          launch_forward<scalar_t, Levels>(
              sizes(value, locations), levels, packed(value, sampled), processors(),
              c10::cuda::getCurrentCUDAStream(), value.data_ptr<scalar_t>(),
              locations.data_ptr<scalar_t>(), weights.data_ptr<scalar_t>(),
              sampled.data_ptr<scalar_t>(), inside.data_ptr<scalar_t>());
        });
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }

  void backward(
      const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
      const at::Tensor& locations, const at::Tensor& weights, at::Tensor& grad_value,
      at::Tensor& grad_locations, at::Tensor& grad_weights) const {
    if (grad_inside.numel() == 0) {
      return;
    }
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, value.scalar_type(), "_ms_deform_sample_backward", [&] {
          launch_backward<scalar_t, Levels>(
              sizes(value, locations), levels, packed(value, grad_sampled), processors(),
              c10::cuda::getCurrentCUDAStream(), grad_sampled.data_ptr<scalar_t>(),
              grad_inside.data_ptr<scalar_t>(), value.data_ptr<scalar_t>(),
              locations.data_ptr<scalar_t>(), weights.data_ptr<scalar_t>(),
              grad_value.data_ptr<Accumulator<scalar_t>>(), grad_locations.data_ptr<scalar_t>(),
              grad_weights.data_ptr<scalar_t>());
        });
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
};

// Calls function(CudaKernels). Tensors stay where they are, on the device, and their values are not
// looked at; lists are checked and travel with the launch, unless they are unusually long.
template <typename Function>
auto with_kernels(
    const at::Tensor& shapes, const at::Tensor& starts, const at::Tensor& value,
    const Function& function) {
  check_levels(shapes, starts);
  TORCH_CHECK_VALUE(
      shapes.device() == value.device() && starts.device() == value.device(),
      "spatial_shapes and level_start_index must be on the device of the values, ",
      value.device(), ", got ", shapes.device(), " and ", starts.device());
  const auto shapes_ = shapes.contiguous(), starts_ = starts.contiguous();
  return function(CudaKernels<LevelTensors>{
      {shapes_.data_ptr<int64_t>(), starts_.data_ptr<int64_t>()}});
}

template <typename Function>
auto with_kernels(
    at::IntArrayRef shapes, at::IntArrayRef starts, const at::Tensor& value,
    const Function& function) {
  const auto levels = read_levels(shapes, starts, value.size(1));
  if (levels.size() > LevelArray::capacity) {
    const auto options = value.options().dtype(at::kLong);
    return with_kernels(
        at::tensor(shapes, options).view({-1, 2}), at::tensor(starts, options), value, function);
  }
  LevelArray array{};
  std::copy(levels.begin(), levels.end(), array.levels);
  return function(CudaKernels<LevelArray>{array});
}

template <typename Shapes>
Pair sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  const c10::cuda::CUDAGuard guard(value.device());
  return with_kernels(shapes, starts, value, [&](const auto& kernels) -> Pair {
    auto sampled = at::empty(
        {locations.size(0), locations.size(1), locations.size(2), value.size(3)},
        value.options());
    auto inside = at::empty(
        {locations.size(0), locations.size(1), locations.size(2)}, value.options());
    kernels.forward(
        value.contiguous(), locations.contiguous(), weights.contiguous(), sampled, inside);
    return {sampled, inside};
  });
}

template <typename Shapes>
Triple sample_backward(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    Shapes shapes, Shapes starts, const at::Tensor& locations, const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  check_gradients(grad_sampled, grad_inside, value, weights);
  const c10::cuda::CUDAGuard guard(value.device());
  return with_kernels(shapes, starts, value, [&](const auto& kernels) -> Triple {
    auto grad_value = zeros_to_add_to(value);
    auto grad_locations = at::empty(locations.sizes(), locations.options());
    auto grad_weights = at::empty(weights.sizes(), weights.options());
    kernels.backward(
        grad_sampled.contiguous(), grad_inside.contiguous(), value.contiguous(),
        locations.contiguous(), weights.contiguous(), grad_value, grad_locations, grad_weights);
    return {grad_value.to(value.scalar_type()), grad_locations, grad_weights};
  });
}

// What the fused op samples at once: enough to keep a device busy.
constexpr int64_t kBytesATile = 64 << 20;

template <typename Shapes>
at::Tensor fused(
    const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  check_projection(tokens, locations, value_weight, value_bias);
  check_inputs(tokens.unsqueeze(2), check_levels(shapes, starts), locations, weights);
  const c10::cuda::CUDAGuard guard(tokens.device());
  return with_kernels(shapes, starts, tokens, [&](const auto& kernels) {
    return fused_forward(
        kernels, tokens.contiguous(), locations.contiguous(), weights.contiguous(),
        value_weight.contiguous(), value_bias.contiguous(), kBytesATile);
  });
}

template <typename Shapes>
Quintuple fused_backward(
    const at::Tensor& grad, const at::Tensor& tokens, Shapes shapes, Shapes starts,
    const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
    const at::Tensor& value_bias) {
  check_projection(tokens, locations, value_weight, value_bias);
  check_inputs(tokens.unsqueeze(2), check_levels(shapes, starts), locations, weights);
  check_fused_gradient(grad, locations, value_weight);
  const c10::cuda::CUDAGuard guard(tokens.device());
  return with_kernels(shapes, starts, tokens, [&](const auto& kernels) {
    return fmmp::fused_backward(
        kernels, grad.contiguous(), tokens.contiguous(), locations.contiguous(),
        weights.contiguous(), value_weight.contiguous(), value_bias.contiguous(), kBytesATile);
  });
}

template <typename Shapes>
void register_kernels(torch::Library& m, const std::string& overload) {
  m.impl(("ms_deform_sample" + overload).c_str(), sample<Shapes>);
  m.impl(("_ms_deform_sample_backward" + overload).c_str(), sample_backward<Shapes>);
  m.impl(("fused_ms_deform_attn" + overload).c_str(), fused<Shapes>);
  m.impl(("_fused_ms_deform_attn_backward" + overload).c_str(), fused_backward<Shapes>);
}

}  // namespace

TORCH_LIBRARY_IMPL(fmmp, CUDA, m) {
  register_kernels<const at::Tensor&>(m, "");
  register_kernels<at::IntArrayRef>(m, ".ints");
}

}  // namespace fmmp
