// Launches of the CUDA kernels, apart from the ops so that nvcc need not read ATen.
#pragma once

#include <cuda_runtime_api.h>

#include <type_traits>

#include "device.h"

namespace fmmp {

// The type that sums are kept in.
template <typename T>
using Accumulator = typename std::conditional<std::is_same<T, double>::value, double, float>::type;

// See the kernels of the same names. `packed`: channels are a multiple of 16 bytes, and so are the
// addresses of the values and of what was sampled.
template <typename T, typename Levels>
void launch_forward(
    const Sizes& sizes, const Levels& levels, bool packed, int processors, cudaStream_t stream,
    const T* value, const T* locations, const T* weights, T* sampled, T* inside);

template <typename T, typename Levels>
void launch_backward(
    const Sizes& sizes, const Levels& levels, bool packed, int processors, cudaStream_t stream,
    const T* grad_sampled, const T* grad_inside, const T* value, const T* locations,
    const T* weights, Accumulator<T>* grad_value, T* grad_locations, T* grad_weights);

}  // namespace fmmp
