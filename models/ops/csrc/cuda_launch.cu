#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>

#include "cuda_launch.h"
#include "kernels.cuh"

namespace fmmp {
namespace {

constexpr int kThreads = 256;

unsigned blocks(int64_t threads, int processors) {
  const int64_t most = 16 * processors;
  return static_cast<unsigned>(
      std::min(std::max<int64_t>((threads + kThreads - 1) / kThreads, 1), most));
}

template <int V, typename T, typename Levels>
void forward(
    const Sizes& s, const Levels& levels, int processors, cudaStream_t stream, const T* value,
    const T* locations, const T* weights, T* sampled, T* inside) {
  const int64_t threads = s.batch * s.queries * s.heads * (s.channels / V);
  sample_forward<T, Accumulator<T>, V><<<blocks(threads, processors), kThreads, 0, stream>>>(
      s, levels, value, locations, weights, sampled, inside);
}

template <int V, typename T, typename Levels>
void backward(
    const Sizes& s, const Levels& levels, int processors, cudaStream_t stream,
    const T* grad_sampled, const T* grad_inside, const T* value, const T* locations,
    const T* weights, Accumulator<T>* grad_value, T* grad_locations, T* grad_weights) {
  int lanes = 1;
  while (lanes < 32 && lanes * V < s.channels) {
    lanes *= 2;
  }
  const int64_t threads = s.batch * s.queries * s.heads * lanes;
  sample_backward<T, Accumulator<T>, V><<<blocks(threads, processors), kThreads, 0, stream>>>(
      s, levels, lanes, grad_sampled, grad_inside, value, locations, weights, grad_value,
      grad_locations, grad_weights);
}

}  // namespace

template <typename T, typename Levels>
void launch_forward(
    const Sizes& s, const Levels& levels, bool packed, int processors, cudaStream_t stream,
    const T* value, const T* locations, const T* weights, T* sampled, T* inside) {
  const auto launch = packed ? forward<16 / sizeof(T), T, Levels> : forward<1, T, Levels>;
  launch(s, levels, processors, stream, value, locations, weights, sampled, inside);
}

template <typename T, typename Levels>
void launch_backward(
    const Sizes& s, const Levels& levels, bool packed, int processors, cudaStream_t stream,
    const T* grad_sampled, const T* grad_inside, const T* value, const T* locations,
    const T* weights, Accumulator<T>* grad_value, T* grad_locations, T* grad_weights) {
  const auto launch = packed ? backward<16 / sizeof(T), T, Levels> : backward<1, T, Levels>;
  launch(
      s, levels, processors, stream, grad_sampled, grad_inside, value, locations, weights,
      grad_value, grad_locations, grad_weights);
}

#define INSTANTIATE(T, LEVELS)                                                                   \
  template void launch_forward<T, LEVELS>(                                                       \
      const Sizes&, const LEVELS&, bool, int, cudaStream_t, const T*, const T*, const T*, T*,    \
      T*);                                                                                       \
  template void launch_backward<T, LEVELS>(                                                      \
      const Sizes&, const LEVELS&, bool, int, cudaStream_t, const T*, const T*, const T*,        \
      const T*, const T*, Accumulator<T>*, T*, T*);

INSTANTIATE(float, LevelArray)
INSTANTIATE(float, LevelTensors)
INSTANTIATE(double, LevelArray)
INSTANTIATE(double, LevelTensors)
INSTANTIATE(c10::Half, LevelArray)
INSTANTIATE(c10::Half, LevelTensors)
INSTANTIATE(c10::BFloat16, LevelArray)
INSTANTIATE(c10::BFloat16, LevelTensors)

}  // namespace fmmp
