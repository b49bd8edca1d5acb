#include "cuda_launch.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "sample_backward.cuh"
#include "sample_forward.cuh"
#include "value_backward.cuh"

namespace fmmp {
namespace {

// Enough lanes for all channels, V at a time, if a warp has them.
int lanes(int64_t channels, int V) {
  int result = kFewestLanes;
  while (result < kMostLanes && result * V < channels) {
    result *= 2;
  }
  return result;
}

// Runs a kernel that has work for `threads`. Where that is more than a few blocks a processor,
// threads take turns of it.
template <typename T, typename... Parameters, typename... Arguments>
void run(
    const Launch<T>& launch, int64_t threads, void (*kernel)(Parameters...),
    const Arguments&... arguments) {
  const int64_t most = std::max(16 * launch.processors, 1);
  const auto blocks = static_cast<unsigned>(
      std::clamp<int64_t>((threads + kThreads - 1) / kThreads, 1, most));
#if defined(__CUDACC__)
  kernel<<<blocks, kThreads, 0, launch.stream>>>(arguments...);
#else  // the tests run this file on the CPU
  cuda_on_cpu::launch(blocks, kThreads, [&] { kernel(arguments...); });
#endif
}

// Calls function(samples) with the samples counted in 32 or 64 bits.
template <typename T, typename Function>
void counted(const Launch<T>& launch, const Function& function) {
  if (launch.wide) {
    return function(launch.in);
  }
  const auto& s = launch.in.sizes;
  const auto narrow = [](int64_t size) { return static_cast<int32_t>(size); };
  function(Samples<T, int32_t>{
      {narrow(s.batch), narrow(s.tokens), narrow(s.value_heads), narrow(s.channels),
       narrow(s.queries), narrow(s.heads), narrow(s.num_levels), narrow(s.num_points)},
      launch.in.levels, launch.in.locations, launch.in.weights});
}

// Calls function(V, lanes): how many channels a lane takes at once, V if `wanted` and else one.
template <int V, typename Function>
void with_lanes(bool wanted, int64_t channels, const Function& function) {
  if (wanted) {
    return function(std::integral_constant<int, V>{}, lanes(channels, V));
  }
  function(std::integral_constant<int, 1>{}, lanes(channels, 1));
}

}  // namespace

template <typename T>
void Launch<T>::sample_forward(const T* value, T* sampled, T* inside) const {
  counted(*this, [&](const auto& s) {
    with_lanes<16 / sizeof(T)>(packed, s.sizes.channels, [&](auto V, int lanes) {
      const auto kernel = fmmp::sample_forward<T, A, V, decltype(s.sizes.batch)>;
      run(*this, in.sizes.groups() * lanes, kernel, s, lanes, value, sampled, inside);
    });
  });
}

template <typename T>
void Launch<T>::sample_backward(
    const T* grad_sampled, const T* grad_inside, const T* value, T* grad_locations,
    T* grad_weights) const {
  counted(*this, [&](const auto& s) {
    with_lanes<16 / sizeof(T)>(packed, s.sizes.channels, [&](auto V, int lanes) {
      const auto kernel = fmmp::sample_backward<T, A, V, decltype(s.sizes.batch)>;
      run(*this, in.sizes.groups() * lanes, kernel, s, lanes, grad_sampled, grad_inside, value,
          grad_locations, grad_weights);
    });
  });
}

template <typename T>
void Launch<T>::value_backward(const T* grad_sampled, A* grad_value) const {
  constexpr int most = std::is_same<A, float>::value ? 4 : 1;
  counted(*this, [&](const auto& s) {
    with_lanes<most>(packed && vector_atomics, s.sizes.channels, [&](auto V, int lanes) {
      const auto kernel = fmmp::value_backward<T, A, V, decltype(s.sizes.batch)>;
      run(*this, in.sizes.groups() * lanes, kernel, s, lanes, grad_sampled, grad_value);
    });
  });
}

template <typename T>
void Launch<T>::list_corners(void* rows, A* weights) const {
  counted(*this, [&](const auto& s) {
    using Index = decltype(s.sizes.batch);
    run(*this, in.sizes.groups() * in.sizes.samples(), fmmp::list_corners<T, A, Index>, s,
        static_cast<Index*>(rows), weights);
  });
}

template <typename T>
void Launch<T>::value_backward_sorted(
    const int64_t* starts, const int64_t* order, const A* weights, const T* grad_sampled,
    A* grad_value) const {
  const int64_t rows = in.sizes.batch * in.sizes.tokens * in.sizes.value_heads;
  with_lanes<16 / sizeof(T)>(packed, in.sizes.channels, [&](auto V, int lanes) {
    run(*this, rows * lanes, fmmp::value_backward_sorted<T, A, V>, rows, in.sizes.channels,
        4 * in.sizes.samples(), lanes, starts, order, weights, grad_sampled, grad_value);
  });
}

template struct Launch<float>;
template struct Launch<double>;
template struct Launch<c10::Half>;
template struct Launch<c10::BFloat16>;

}  // namespace fmmp
