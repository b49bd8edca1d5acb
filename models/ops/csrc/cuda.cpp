// The ops on CUDA devices. Nothing here waits for the device, but a copy of more levels than a launch
// takes along.
#include <ATen/Context.h>
#include <ATen/Dispatch.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
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

int device_attribute(cudaDeviceAttr attribute) {
  int result = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&result, attribute, c10::cuda::current_device()));
  return result;
}

// Whether the channels can be read and written 16 bytes at a time.
bool packed(const at::Tensor& a, const at::Tensor& b) {
  const auto aligned = [](const at::Tensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 16 == 0;
  };
  return a.size(-1) * a.element_size() % 16 == 0 && aligned(a) && aligned(b);
}

// What fused.h asks of a device.
struct CudaKernels {
  Levels levels;
  at::Tensor shapes, starts;  // that `levels` may point to

  template <typename T>
  Launch<T> launch(
      const at::Tensor& value, const at::Tensor& sampled, const at::Tensor& locations,
      const at::Tensor& weights) const {
    const Sizes<int64_t> sizes{
        value.size(0),     value.size(1),     value.size(2),     value.size(3),
        locations.size(1), locations.size(2), locations.size(3), locations.size(4)};
    return {
        {sizes, levels, locations.data_ptr<T>(), weights.data_ptr<T>()},
        c10::cuda::getCurrentCUDAStream(),
        device_attribute(cudaDevAttrMultiProcessorCount),
        device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9,
        packed(value, sampled),
        wide(sizes)};
  }

  void forward(
      const at::Tensor& value, const at::Tensor& locations, const at::Tensor& weights,
      at::Tensor& sampled, at::Tensor& inside) const {
    if (inside.numel() == 0) {
      return;
    }
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, value.scalar_type(), "ms_deform_sample", [&] {
          launch<scalar_t>(value, sampled, locations, weights)
              .sample_forward(
                  value.data_ptr<scalar_t>(), sampled.data_ptr<scalar_t>(),
                  inside.data_ptr<scalar_t>());
        });
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }

  void backward(
      const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
      const at::Tensor& locations, const at::Tensor& weights, at::Tensor& grad_value,
      at::Tensor& grad_locations, at::Tensor& grad_weights) const {
    if (weights.numel() == 0) {
      return;
    }
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, value.scalar_type(), "_ms_deform_sample_backward", [&] {
          const auto kernels = launch<scalar_t>(value, grad_sampled, locations, weights);
          const auto grad = grad_sampled.data_ptr<scalar_t>();
          const auto result = grad_value.data_ptr<Accumulator<scalar_t>>();
          kernels.sample_backward(
              grad, grad_inside.data_ptr<scalar_t>(), value.data_ptr<scalar_t>(),
              grad_locations.data_ptr<scalar_t>(), grad_weights.data_ptr<scalar_t>());
          C10_CUDA_KERNEL_LAUNCH_CHECK();
          if (at::globalContext().deterministicAlgorithms()) {
            value_backward_sorted(kernels, grad, grad_value.options(), result);
          } else {
            kernels.value_backward(grad, result);
          }
        });
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }

  // See value_backward.cuh. The sort is stable, so that the order is the same in every run.
  template <typename T>
  static void value_backward_sorted(
      const Launch<T>& kernels, const T* grad_sampled, const at::TensorOptions& options,
      Accumulator<T>* grad_value) {
    const auto& sizes = kernels.in.sizes;
    const int64_t corners = 4 * sizes.groups() * sizes.samples();
    const auto ints = options.dtype(kernels.wide ? at::kLong : at::kInt);
    const auto rows = at::empty({corners}, ints), weights = at::empty({corners}, options);
    const auto weight = weights.template data_ptr<Accumulator<T>>();
    kernels.list_corners(rows.data_ptr(), weight);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    const auto sorted = at::sort(rows, /*stable=*/true, /*dim=*/0, /*descending=*/false);
    const int64_t count = sizes.batch * sizes.tokens * sizes.value_heads;
    const auto starts = at::searchsorted(std::get<0>(sorted), at::arange(count + 1, ints));
    kernels.value_backward_sorted(
        starts.template data_ptr<int64_t>(), std::get<1>(sorted).template data_ptr<int64_t>(),
        weight, grad_sampled, grad_value);
  }
};

// Tensors stay where they are, on the device, and their values are not looked at; lists are checked
// and travel with the launch, unless they are unusually long.
CudaKernels with_levels(
    const at::Tensor& shapes, const at::Tensor& starts, const at::Tensor& value) {
  check_levels(shapes, starts);
  TORCH_CHECK_VALUE(
      shapes.device() == value.device() && starts.device() == value.device(),
      "spatial_shapes and level_start_index must be on the device of the values, ",
      value.device(), ", got ", shapes.device(), " and ", starts.device());
  CudaKernels kernels{{}, shapes.contiguous(), starts.contiguous()};
  kernels.levels.shapes = kernels.shapes.data_ptr<int64_t>();
  kernels.levels.starts = kernels.starts.data_ptr<int64_t>();
  return kernels;
}

CudaKernels with_levels(at::IntArrayRef shapes, at::IntArrayRef starts, const at::Tensor& value) {
  const auto levels = read_levels(shapes, starts, value.size(1));
  if (levels.size() > Levels::capacity) {
    const auto options = value.options().dtype(at::kLong);
    return with_levels(
        at::tensor(shapes, options).view({-1, 2}), at::tensor(starts, options), value);
  }
  CudaKernels kernels{};
  std::copy(levels.begin(), levels.end(), kernels.levels.listed);
  return kernels;
}

template <typename Shapes>
Pair sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  const c10::cuda::CUDAGuard guard(value.device());
  const auto kernels = with_levels(shapes, starts, value);
  const auto batch = locations.size(0), queries = locations.size(1), heads = locations.size(2);
  auto sampled = at::empty({batch, queries, heads, value.size(3)}, value.options());
  auto inside = at::empty({batch, queries, heads}, value.options());
  kernels.forward(
      value.contiguous(), locations.contiguous(), weights.contiguous(), sampled, inside);
  return {sampled, inside};
}

template <typename Shapes>
Triple sample_backward(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    Shapes shapes, Shapes starts, const at::Tensor& locations, const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  check_gradients(grad_sampled, grad_inside, value, weights);
  const c10::cuda::CUDAGuard guard(value.device());
  const auto kernels = with_levels(shapes, starts, value);
  auto grad_value = zeros_to_add_to(value);
  auto grad_locations = at::empty(locations.sizes(), locations.options());
  auto grad_weights = at::empty(weights.sizes(), weights.options());
  kernels.backward(
      grad_sampled.contiguous(), grad_inside.contiguous(), value.contiguous(),
      locations.contiguous(), weights.contiguous(), grad_value, grad_locations, grad_weights);
  return {grad_value.to(value.scalar_type()), grad_locations, grad_weights};
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
  return fused_forward(
      with_levels(shapes, starts, tokens), tokens.contiguous(), locations.contiguous(),
      weights.contiguous(), value_weight.contiguous(), value_bias.contiguous(), kBytesATile);
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
  return fmmp::fused_backward(
      with_levels(shapes, starts, tokens), grad.contiguous(), tokens.contiguous(),
      locations.contiguous(), weights.contiguous(), value_weight.contiguous(),
      value_bias.contiguous(), kBytesATile);
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
