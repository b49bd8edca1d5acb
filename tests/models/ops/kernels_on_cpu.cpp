// The launches of the CUDA kernels as functions that Python can call, run on the CPU.
#include "cuda_launch.cu"

using namespace fmmp;

// What a launch takes, with pointers to tensors of whatever type.
struct Call {
  int64_t sizes[8];
  int64_t levels_by_value, processors, vector_atomics, packed, wide;
  int64_t *shapes, *starts;
  void *locations, *weights, *grad_sampled, *grad_inside, *value, *sampled, *inside, *grad_value,
      *grad_locations, *grad_weights, *rows, *corner_weights;

  template <typename T>
  Launch<T> launch() const {
    Samples<T, int64_t> in{};
    std::memcpy(&in.sizes, sizes, sizeof in.sizes);
    in.locations = static_cast<T*>(locations);
    in.weights = static_cast<T*>(weights);
    if (levels_by_value) {
      for (int64_t i = 0; i < in.sizes.num_levels; ++i) {
        in.levels.listed[i] = {shapes[2 * i], shapes[2 * i + 1], starts[i]};
      }
    } else {
      in.levels.shapes = shapes;
      in.levels.starts = starts;
    }
    return {in, nullptr, int(processors), vector_atomics != 0, packed != 0, wide != 0};
  }
};

#define EXPORT(NAME, T)                                                                          \
  extern "C" void NAME(const Call& call) {                                                       \
    const auto launch = call.launch<T>();                                                        \
    const auto grad = static_cast<T*>(call.grad_sampled), value = static_cast<T*>(call.value);   \
    launch.sample_forward(value, static_cast<T*>(call.sampled), static_cast<T*>(call.inside));   \
    launch.sample_backward(                                                                      \
        grad, static_cast<T*>(call.grad_inside), value, static_cast<T*>(call.grad_locations),    \
        static_cast<T*>(call.grad_weights));                                                     \
    launch.list_corners(call.rows, static_cast<Accumulator<T>*>(call.corner_weights));           \
  }                                                                                              \
  extern "C" void NAME##_value_backward(const Call& call) {                                      \
    call.launch<T>().value_backward(                                                             \
        static_cast<T*>(call.grad_sampled), static_cast<Accumulator<T>*>(call.grad_value));      \
  }                                                                                              \
  extern "C" void NAME##_value_backward_sorted(                                                  \
      const Call& call, const int64_t* starts, const int64_t* order) {                           \
    call.launch<T>().value_backward_sorted(                                                      \
        starts, order, static_cast<Accumulator<T>*>(call.corner_weights),                        \
        static_cast<T*>(call.grad_sampled), static_cast<Accumulator<T>*>(call.grad_value));      \
  }

EXPORT(float32, float)
EXPORT(float64, double)
EXPORT(float16, c10::Half)
EXPORT(bfloat16, c10::BFloat16)
