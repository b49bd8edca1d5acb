// Launches of the CUDA kernels, apart from the ops so that nvcc need not read ATen.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <type_traits>

#include "device.h"

namespace fmmp {

// The type that sums are kept in.
template <typename T>
using Accumulator = typename std::conditional<std::is_same<T, double>::value, double, float>::type;

// Whether 32 bits are too few to count elements, a bit spared for sums of two counts.
inline bool wide(const Sizes<int64_t>& s) {
  const int64_t rows = s.batch * s.tokens * s.value_heads, groups = s.groups();
  return std::max({rows, rows * s.channels, groups * s.channels, 4 * groups * s.samples()}) >=
      int64_t(1) << 30;
}

// The kernels of the same names, launched for values of type T.
template <typename T>
struct Launch {
  using A = Accumulator<T>;

  Samples<T, int64_t> in;
  cudaStream_t stream;
  int processors;
  bool vector_atomics;  // the device adds four floats at once (compute capability 9.0)
  bool packed;          // channels are a multiple of 16 bytes, and so are the rows' addresses
  bool wide;            // count in 64 bits

  void sample_forward(const T* value, T* sampled, T* inside) const;
  void sample_backward(
      const T* grad_sampled, const T* grad_inside, const T* value, T* grad_locations,
      T* grad_weights) const;
  void value_backward(const T* grad_sampled, A* grad_value) const;
  void list_corners(void* rows, A* weights) const;  // rows: int64_t if wide, else int32_t
  void value_backward_sorted(
      const int64_t* starts, const int64_t* order, const A* weights, const T* grad_sampled,
      A* grad_value) const;
};

}  // namespace fmmp
