// The ops on the CPU. Vectors run along the channels; the inner loops are compiled for several
// instruction sets, of which the machine's best is taken, since a build must run elsewhere too.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <vector>

#include "fused.h"
#include "levels.h"

namespace fmmp {
namespace {

template <typename T>
struct Inputs {
  const T* value;      // (B, N, value_heads, C)
  const T* locations;  // (B, Q, heads, L, P, 2)
  const T* weights;    // (B, Q, heads, L, P)
  const Level* levels;
  int64_t batch, tokens, value_heads, channels, queries, heads, num_levels, num_points;

  FMMP_INLINE int64_t samples() const { return num_levels * num_points; }
  // Where a token's values for a head start.
  FMMP_INLINE int64_t offset(int64_t batch, int64_t token, int64_t head) const {
    return ((batch * tokens + token) * value_heads + (value_heads == 1 ? 0 : head)) * channels;
  }
};

// Rows of C channels in memory, each with a weight.
template <typename T>
struct Rows {
  int64_t* offsets;
  T* weights;
  int64_t count;
};

template <typename T, int Bytes>
struct Vector {
  static constexpr int size = Bytes / sizeof(T);
  typedef T type __attribute__((vector_size(Bytes)));

  static FMMP_INLINE type load(const T* from) {
    type result;
    __builtin_memcpy(&result, from, Bytes);
    return result;
  }
  static FMMP_INLINE void store(T* to, const type& vector) {
    __builtin_memcpy(to, &vector, Bytes);
  }
};

// The functions below treat channels `c` on in steps of K vectors and return where they stopped.

// out = sum of weight * row
template <typename T, int Bytes, int K>
FMMP_INLINE int64_t
sum_rows(const T* base, const Rows<T>& rows, T* out, int64_t c, int64_t channels) {
  using V = Vector<T, Bytes>;
  for (; c + K * V::size <= channels; c += K * V::size) {
    typename V::type sum[K] = {};
    for (int64_t i = 0; i < rows.count; ++i) {
      const T* row = base + rows.offsets[i] + c;
      const T weight = rows.weights[i];
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        sum[k] += weight * V::load(row + k * V::size);
      }
    }
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
      V::store(out + c + k * V::size, sum[k]);
    }
  }
  return c;
}

// row += weight * grad
template <typename T, int Bytes, int K>
FMMP_INLINE int64_t
add_to_rows(T* base, const Rows<T>& rows, const T* grad, int64_t c, int64_t channels) {
  using V = Vector<T, Bytes>;
  for (; c + K * V::size <= channels; c += K * V::size) {
    typename V::type g[K];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
      g[k] = V::load(grad + c + k * V::size);
    }
    for (int64_t i = 0; i < rows.count; ++i) {
      T* row = base + rows.offsets[i] + c;
      const T weight = rows.weights[i];
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        V::store(row + k * V::size, V::load(row + k * V::size) + weight * g[k]);
      }
    }
  }
  return c;
}

// dot[k] += grad . corner[k]
template <typename T, int Bytes, int K>
FMMP_INLINE int64_t
dot_corners(const T* grad, const T* const (&corner)[4], T (&dot)[4], int64_t c, int64_t channels) {
  using V = Vector<T, Bytes>;
  if (c + K * V::size > channels) {
    return c;
  }
  typename V::type sum[4][K] = {};
  for (; c + K * V::size <= channels; c += K * V::size) {
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k) {
      const auto g = V::load(grad + c + k * V::size);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        sum[i][k] += g * V::load(corner[i] + c + k * V::size);
      }
    }
  }
  for (int i = 0; i < 4; ++i) {
    for (int k = 1; k < K; ++k) {
      sum[i][0] += sum[i][k];
    }
    for (int j = 0; j < V::size; ++j) {
      dot[i] += sum[i][0][j];
    }
  }
  return c;
}

// What heads `begin` to `end` of all (B, Q, heads) sample.
template <typename T, int Bytes>
FMMP_INLINE void
forward(const Inputs<T>& in, Rows<T> rows, T* sampled, T* inside, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group) {
    const int64_t head = group % in.heads, batch = group / in.heads / in.queries;
    const int64_t first = group * in.samples();
    Corners<T> at;
    T total = 0;
    rows.count = 0;
    for (int64_t s = 0; s < in.samples(); ++s) {
      const T* location = in.locations + 2 * (first + s);
      if (!at.locate(location[0], location[1], in.levels[s / in.num_points])) {
        continue;
      }
      for (int k = 0; k < 4; ++k) {
        if (at.inside[k]) {
          const T weight = in.weights[first + s] * at.weight[k];
          total += weight;
          rows.offsets[rows.count] = in.offset(batch, at.token[k], head);
          rows.weights[rows.count++] = weight;
        }
      }
    }
    inside[group] = total;
    T* out = sampled + group * in.channels;
    int64_t c = sum_rows<T, Bytes, 8>(in.value, rows, out, 0, in.channels);
    c = sum_rows<T, Bytes, 2>(in.value, rows, out, c, in.channels);
    c = sum_rows<T, Bytes, 1>(in.value, rows, out, c, in.channels);
    sum_rows<T, sizeof(T), 1>(in.value, rows, out, c, in.channels);
  }
}

// The gradients of one head's locations and weights; collects the rows that it sampled.
template <typename T, int Bytes>
FMMP_INLINE void backward_samples(
    const Inputs<T>& in, Rows<T>& rows, const T* grad_sampled, const T* grad_inside,
    T* grad_locations, T* grad_weights, int64_t group) {
  const int64_t head = group % in.heads, batch = group / in.heads / in.queries;
  const T* grad = grad_sampled + group * in.channels;
  rows.count = 0;
  for (int64_t s = 0; s < in.samples(); ++s) {
    const int64_t sample = group * in.samples() + s;
    const Level& level = in.levels[s / in.num_points];
    T along_x = 0, along_y = 0, along_weight = 0;
    Corners<T> at;
    if (at.locate(in.locations[2 * sample], in.locations[2 * sample + 1], level)) {
      const T* corner[4];
      T dot[4];
      for (int k = 0; k < 4; ++k) {
        corner[k] = at.inside[k] ? in.value + in.offset(batch, at.token[k], head) : grad;
        dot[k] = grad_inside[group];
      }
      int64_t c = dot_corners<T, Bytes, 2>(grad, corner, dot, 0, in.channels);
      c = dot_corners<T, Bytes, 1>(grad, corner, dot, c, in.channels);
      dot_corners<T, sizeof(T), 1>(grad, corner, dot, c, in.channels);
      for (int k = 0; k < 4; ++k) {
        if (at.inside[k]) {
          along_weight += at.weight[k] * dot[k];
          rows.offsets[rows.count] = in.offset(batch, at.token[k], head);
          rows.weights[rows.count++] = in.weights[sample] * at.weight[k];
        } else {
          dot[k] = 0;
        }
      }
      along_x = in.weights[sample] * at.along_x(dot, level);
      along_y = in.weights[sample] * at.along_y(dot, level);
    }
    grad_locations[2 * sample] = along_x;
    grad_locations[2 * sample + 1] = along_y;
    grad_weights[sample] = along_weight;
  }
}

// Adds one head's gradient to the channels `c` to `end` of the rows that it sampled.
template <typename T, int Bytes>
FMMP_INLINE void
backward_value(const Rows<T>& rows, const T* grad, T* grad_value, int64_t c, int64_t end) {
  c = add_to_rows<T, Bytes, 8>(grad_value, rows, grad, c, end);
  c = add_to_rows<T, Bytes, 2>(grad_value, rows, grad, c, end);
  c = add_to_rows<T, Bytes, 1>(grad_value, rows, grad, c, end);
  add_to_rows<T, sizeof(T), 1>(grad_value, rows, grad, c, end);
}

// The three functions above for one instruction set.
template <typename T>
struct Kernels {
  void (*forward)(const Inputs<T>&, Rows<T>, T*, T*, int64_t, int64_t);
  void (*backward_samples)(
      const Inputs<T>&, Rows<T>&, const T*, const T*, T*, T*, int64_t);
  void (*backward_value)(const Rows<T>&, const T*, T*, int64_t, int64_t);
};

#define FMMP_KERNELS(NAME, BYTES, TARGET)                                                        \
  template <typename T>                                                                          \
  struct NAME {                                                                                  \
    TARGET static void run_forward(                                                              \
        const Inputs<T>& in, Rows<T> rows, T* sampled, T* inside, int64_t begin, int64_t end) {  \
      forward<T, BYTES>(in, rows, sampled, inside, begin, end);                                  \
    }                                                                                            \
    TARGET static void run_backward_samples(                                                     \
        const Inputs<T>& in, Rows<T>& rows, const T* grad_sampled, const T* grad_inside,         \
        T* grad_locations, T* grad_weights, int64_t group) {                                     \
      backward_samples<T, BYTES>(                                                                \
          in, rows, grad_sampled, grad_inside, grad_locations, grad_weights, group);             \
    }                                                                                            \
    TARGET static void run_backward_value(                                                       \
        const Rows<T>& rows, const T* grad, T* grad_value, int64_t c, int64_t end) {             \
      backward_value<T, BYTES>(rows, grad, grad_value, c, end);                                  \
    }                                                                                            \
    static constexpr Kernels<T> kernels{run_forward, run_backward_samples, run_backward_value};  \
  };

FMMP_KERNELS(Baseline, 16, )
#if defined(__x86_64__)
FMMP_KERNELS(Avx2, 32, __attribute__((target("avx2,fma"))))
FMMP_KERNELS(Avx512, 64, __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma"))))
#endif

template <typename T>
const Kernels<T>& best_kernels() {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx512) {
    return Avx512<T>::kernels;
  }
  if (avx2) {
    return Avx2<T>::kernels;
  }
#endif
  return Baseline<T>::kernels;
}

// Room for the rows that `count` heads sample.
template <typename T>
class RowTable {
 public:
  RowTable(int64_t count, int64_t samples)
      : size_(4 * samples),
        offsets_(at::empty({count * size_}, at::kLong)),
        weights_(at::empty({count * size_}, c10::CppTypeToScalarType<T>::value)),
        counts_(count) {}

  Rows<T> operator[](int64_t i) {
    return {
        offsets_.data_ptr<int64_t>() + i * size_, weights_.data_ptr<T>() + i * size_, counts_[i]};
  }
  void set_count(int64_t i, int64_t count) { counts_[i] = count; }

 private:
  int64_t size_;
  at::Tensor offsets_, weights_;
  std::vector<int64_t> counts_;
};

template <typename T>
struct CpuKernels {
  const std::vector<Level>& levels;

  Inputs<T> inputs(
      const at::Tensor& value, const at::Tensor& locations, const at::Tensor& weights) const {
    return {
        value.data_ptr<T>(),    locations.data_ptr<T>(), weights.data_ptr<T>(), levels.data(),
        value.size(0),          value.size(1),           value.size(2),         value.size(3),
        locations.size(1),      locations.size(2),       locations.size(3),
        locations.size(4)};
  }

  void forward(
      const at::Tensor& value, const at::Tensor& locations, const at::Tensor& weights,
      at::Tensor& sampled, at::Tensor& inside) const {
    const auto in = inputs(value, locations, weights);
    T* out = sampled.data_ptr<T>();
    T* out_inside = inside.data_ptr<T>();
    RowTable<T> rows(at::get_num_threads(), in.samples());
    at::parallel_for(0, inside.numel(), 64, [&](int64_t begin, int64_t end) {
      best_kernels<T>().forward(in, rows[at::get_thread_num()], out, out_inside, begin, end);
    });
  }

  // Some queries at a time: first, head by head, the gradients of locations and weights; then those
  // of the values, in which heads meet, so that each thread owns some of the channels.
  void backward(
      const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
      const at::Tensor& locations, const at::Tensor& weights, at::Tensor& grad_value,
      at::Tensor& grad_locations, at::Tensor& grad_weights) const {
    const auto in = inputs(value, locations, weights);
    const auto& kernels = best_kernels<T>();
    const T* grad = grad_sampled.data_ptr<T>();
    const T* grad_in = grad_inside.data_ptr<T>();
    T* out_value = grad_value.data_ptr<T>();
    T* out_locations = grad_locations.data_ptr<T>();
    T* out_weights = grad_weights.data_ptr<T>();
    if (grad_inside.numel() == 0) {
      return;
    }

    const int64_t line = 64 / sizeof(T);  // no two threads write to one cache line
    const int64_t owners = in.batch * in.value_heads;
    const int64_t threads = at::get_num_threads();
    const int64_t share = std::max<int64_t>(in.channels * owners / (threads * line), 1) * line;
    const int64_t pieces = (in.channels + share - 1) / share;
    const int64_t heads_an_owner = in.value_heads == 1 ? in.heads : 1;

    const int64_t size = std::clamp<int64_t>(4096 / (in.batch * in.heads), 1, in.queries);
    RowTable<T> rows(in.batch * size * in.heads, in.samples());
    for (int64_t first = 0; first < in.queries; first += size) {
      const int64_t count = std::min(size, in.queries - first);
      const auto group = [&](int64_t i) {  // the i-th of these queries' heads, among all
        const int64_t batch = i / (count * in.heads);
        return (batch * in.queries + first) * in.heads + i % (count * in.heads);
      };
      at::parallel_for(
          0, in.batch * count * in.heads, 16, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
              auto sampled = rows[i];
              kernels.backward_samples(
                  in, sampled, grad, grad_in, out_locations, out_weights, group(i));
              rows.set_count(i, sampled.count);
            }
          });
      at::parallel_for(0, owners * pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t c = task % pieces * share;
          const int64_t owner = task / pieces;
          const int64_t batch = owner / in.value_heads, head = owner % in.value_heads;
          for (int64_t q = 0; q < count; ++q) {
            for (int64_t h = head; h < head + heads_an_owner; ++h) {
              const int64_t i = (batch * count + q) * in.heads + h;
              kernels.backward_value(
                  rows[i], grad + group(i) * in.channels, out_value, c,
                  std::min(c + share, in.channels));
            }
          }
        }
      });
    }
  }
};

// How much the fused op samples at once: little beside what it is given, so as to save memory, and
// enough for the threads to share.
int64_t bytes_a_tile(const at::Tensor& tokens) {
  return std::max<int64_t>(tokens.nbytes() / 2, 3 << 18);
}

// Calls function(tensors as float or double and contiguous, a T{}).
template <typename Function, typename... Tensors>
auto compute(at::ScalarType type, const Function& function, const Tensors&... tensors) {
  if (type == at::kDouble) {
    return function(double{}, tensors.contiguous()...);
  }
  return function(float{}, tensors.to(at::kFloat).contiguous()...);
}

template <typename Shapes>
Pair sample(
    const at::Tensor& value, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  const auto levels = read_levels(shapes, starts, value.size(1));
  const auto type = value.scalar_type();
  return compute(
      type,
      [&](auto zero, const at::Tensor& v, const at::Tensor& l, const at::Tensor& w) -> Pair {
        auto sampled =
            at::empty({l.size(0), l.size(1), l.size(2), v.size(3)}, v.options());
        auto inside = at::empty({l.size(0), l.size(1), l.size(2)}, v.options());
        CpuKernels<decltype(zero)>{levels}.forward(v, l, w, sampled, inside);
        return {sampled.to(type), inside.to(type)};
      },
      value, locations, weights);
}

template <typename Shapes>
Triple sample_backward(
    const at::Tensor& grad_sampled, const at::Tensor& grad_inside, const at::Tensor& value,
    Shapes shapes, Shapes starts, const at::Tensor& locations, const at::Tensor& weights) {
  check_inputs(value, check_levels(shapes, starts), locations, weights);
  const auto levels = read_levels(shapes, starts, value.size(1));
  check_gradients(grad_sampled, grad_inside, value, weights);
  const auto type = value.scalar_type();
  return compute(
      type,
      [&](auto zero, const at::Tensor& gs, const at::Tensor& gi, const at::Tensor& v,
          const at::Tensor& l, const at::Tensor& w) -> Triple {
        auto grad_value = at::zeros_like(v);
        auto grad_locations = at::empty_like(l), grad_weights = at::empty_like(w);
        CpuKernels<decltype(zero)>{levels}.backward(
            gs, gi, v, l, w, grad_value, grad_locations, grad_weights);
        return {grad_value.to(type), grad_locations.to(type), grad_weights.to(type)};
      },
      grad_sampled, grad_inside, value, locations, weights);
}

template <typename Shapes>
at::Tensor fused(
    const at::Tensor& tokens, Shapes shapes, Shapes starts, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias) {
  check_projection(tokens, locations, value_weight, value_bias);
  check_inputs(tokens.unsqueeze(2), check_levels(shapes, starts), locations, weights);
  const auto levels = read_levels(shapes, starts, tokens.size(1));
  const auto type = tokens.scalar_type();
  return compute(
      type,
      [&](auto zero, const auto&... inputs) {
        return fused_forward(
                   CpuKernels<decltype(zero)>{levels}, inputs..., bytes_a_tile(tokens))
            .to(type);
      },
      tokens, locations, weights, value_weight, value_bias);
}

template <typename Shapes>
Quintuple fused_backward(
    const at::Tensor& grad, const at::Tensor& tokens, Shapes shapes, Shapes starts,
    const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
    const at::Tensor& value_bias) {
  check_projection(tokens, locations, value_weight, value_bias);
  check_inputs(tokens.unsqueeze(2), check_levels(shapes, starts), locations, weights);
  const auto levels = read_levels(shapes, starts, tokens.size(1));
  check_fused_gradient(grad, locations, value_weight);
  const auto type = tokens.scalar_type();
  return compute(
      type,
      [&](auto zero, const auto&... inputs) -> Quintuple {
        const auto grads = fmmp::fused_backward(
            CpuKernels<decltype(zero)>{levels}, inputs..., bytes_a_tile(tokens));
        return std::apply(
            [&](const auto&... tensors) { return Quintuple{tensors.to(type)...}; }, grads);
      },
      grad, tokens, locations, weights, value_weight, value_bias);
}

template <typename Shapes>
void register_kernels(torch::Library& m, const std::string& overload) {
  m.impl(("ms_deform_sample" + overload).c_str(), sample<Shapes>);
  m.impl(("_ms_deform_sample_backward" + overload).c_str(), sample_backward<Shapes>);
  m.impl(("fused_ms_deform_attn" + overload).c_str(), fused<Shapes>);
  m.impl(("_fused_ms_deform_attn_backward" + overload).c_str(), fused_backward<Shapes>);
}

}  // namespace

TORCH_LIBRARY_IMPL(fmmp, CPU, m) {
  register_kernels<const at::Tensor&>(m, "");
  register_kernels<at::IntArrayRef>(m, ".ints");
}

}  // namespace fmmp
