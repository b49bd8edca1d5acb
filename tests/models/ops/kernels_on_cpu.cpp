// The CUDA kernels as functions that Python can call, run on the CPU.
#include "cuda_on_cpu.h"

#include "kernels.cuh"

using namespace fmmp;

namespace {

template <typename T, typename A, int V>
void run(
    const int64_t* sizes, const int64_t* shapes, const int64_t* starts, bool by_value,
    unsigned blocks, unsigned threads, int lanes, const T* grad_sampled, const T* grad_inside,
    const T* value, const T* locations, const T* weights, T* sampled, T* inside, A* grad_value,
    T* grad_locations, T* grad_weights) {
  Sizes s;
  std::memcpy(&s, sizes, sizeof s);
  const auto with = [&](auto levels) {
    cuda_on_cpu::launch(blocks, threads, [&] {
      sample_forward<T, A, V>(s, levels, value, locations, weights, sampled, inside);
    });
    cuda_on_cpu::launch(blocks, threads, [&] {
      sample_backward<T, A, V>(
          s, levels, lanes, grad_sampled, grad_inside, value, locations, weights, grad_value,
          grad_locations, grad_weights);
    });
  };
  if (by_value) {
    LevelArray levels{};
    for (int64_t i = 0; i < s.num_levels; ++i) {
      levels.levels[i] = {shapes[2 * i], shapes[2 * i + 1], starts[i]};
    }
    with(levels);
  } else {
    with(LevelTensors{shapes, starts});
  }
}

}  // namespace

#define EXPORT(NAME, T, A, V)                                                                   \
  extern "C" void NAME(                                                                         \
      const int64_t* sizes, const int64_t* shapes, const int64_t* starts, bool by_value,        \
      unsigned blocks, unsigned threads, int lanes, const T* grad_sampled, const T* grad_inside, \
      const T* value, const T* locations, const T* weights, T* sampled, T* inside,              \
      A* grad_value, T* grad_locations, T* grad_weights) {                                      \
    run<T, A, V>(                                                                               \
        sizes, shapes, starts, by_value, blocks, threads, lanes, grad_sampled, grad_inside,     \
        value, locations, weights, sampled, inside, grad_value, grad_locations, grad_weights);  \
  }

EXPORT(double_1, double, double, 1)
EXPORT(double_2, double, double, 2)
EXPORT(float_4, float, double, 4)
