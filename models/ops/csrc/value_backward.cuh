// The gradient of the values, in which heads meet: each corner adds its weight times the gradient of
// what its head sampled to its row. It is summed in A, which is float32 for halves: a row has
// hundreds of terms.
//
// Either heads add to the rows that they sampled, by atomics, in an order that no run repeats; or
// the corners are sorted by row, and each row sums its own, in the order of the samples.
#pragma once

#include "team.cuh"

namespace fmmp {

// The compiler is new enough, and the device, to add four floats at once.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define FMMP_VECTOR_ATOMICS (__CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1204)
#elif !defined(FMMP_VECTOR_ATOMICS)
#define FMMP_VECTOR_ATOMICS 0
#endif

// Adds neighbouring numbers to memory that other threads add to.
template <int V, typename A>
__device__ __forceinline__ void add(A* to, const A (&x)[V]) {
#if FMMP_VECTOR_ATOMICS
  if constexpr (V == 4) {
    atomicAdd(reinterpret_cast<float4*>(to), make_float4(x[0], x[1], x[2], x[3]));
  } else
#endif
  {
    for (int v = 0; v < V; ++v) {
      atomicAdd(to + v, x[v]);
    }
  }
}

// Adds to `grad_value` (B, N, value_heads, C). V is 4 where the device adds four floats at once, and
// else 1: then it is neighbouring lanes that add to neighbouring channels.
template <typename T, typename A, int V, typename Index>
__global__ void value_backward(
    const __grid_constant__ Samples<T, Index> in, int lanes, const T* grad_sampled,
    A* grad_value) {
  __shared__ Slot<A, Index> slots[Team::places];
  const Team team(lanes);
  const Index channels = in.sizes.channels;
  for (Index group = team.first(); group < in.sizes.groups(); group += team.step()) {
    A* base = grad_value + in.row(group, 0) * channels;
    for (Index start = 0; start < channels; start += lanes * V) {
      const Index c = start + team.lane * V;
      Pack<T, V> grad{};
      if (c < channels) {
        grad = load<V>(grad_sampled + group * channels + c);
      }
      const auto scatter = [&](Pack<Index, 4> row, Pack<A, 4> weight) {
        for (int k = 0; k < 4; ++k) {
          if (row.values[k] >= 0 && c < channels) {
            A terms[V];
            for (int v = 0; v < V; ++v) {
              terms[v] = weight.values[k] * A(grad.values[v]);
            }
            add<V>(base + row.values[k] + c, terms);
          }
        }
      };
      for_each_sample<A>(team, slots + team.place, in, group, start > 0, scatter);
    }
  }
}

// The row of each corner of each sample, one past the last for a corner outside; and its weight.
template <typename T, typename A, typename Index>
__global__ void list_corners(
    const __grid_constant__ Samples<T, Index> in, Index* rows, A* weights) {
  const Index samples = in.sizes.samples(), total = in.sizes.groups() * samples;
  const Index none = in.sizes.batch * in.sizes.tokens * in.sizes.value_heads;
  for (Index i = Team(1).first(); i < total; i += Team(1).step()) {
    const Index group = i / samples;
    Level level;
    A weight = 0;
    const auto at = locate<A>(in, group, i % samples, level, weight);
    for (int k = 0; k < 4; ++k) {
      rows[4 * i + k] = at.inside[k] ? in.row(group, at.token[k]) : none;
      weights[4 * i + k] = weight * at.weight[k];
    }
  }
}

// Adds to `grad_value` too, row by row. Row r has those corners, counted in `list_corners`, that
// stand in `order` from starts[r] to starts[r + 1].
template <typename T, typename A, int V>
__global__ void value_backward_sorted(
    int64_t rows, int64_t channels, int64_t corners_a_group, int lanes, const int64_t* starts,
    const int64_t* order, const A* weights, const T* grad_sampled, A* grad_value) {
  __shared__ A shared_weights[Team::places];
  __shared__ const T* shared_grads[Team::places];
  const Team team(lanes);
  A* weight = shared_weights + team.place;
  const T** grad = shared_grads + team.place;
  for (int64_t row = team.first(); row < rows; row += team.step()) {
    const int64_t end = starts[row + 1];
    for (int64_t c = team.lane * V; c - team.lane * V < channels; c += lanes * V) {
      A sum[V] = {};
      for (int64_t first = starts[row]; first < end; first += lanes) {
        team.sync();  // all have read what was there before
        if (first + team.lane < end) {
          const int64_t corner = order[first + team.lane];
          weight[team.lane] = weights[corner];
          grad[team.lane] = grad_sampled + corner / corners_a_group * channels;
        }
        team.sync();
        const int64_t left = c < channels ? end - first : 0;
        const int count = left < lanes ? int(left) : lanes;
#pragma unroll 4  // so that four rows are under way
        for (int i = 0; i < count; ++i) {
          const auto g = load<V>(grad[i] + c);
          for (int v = 0; v < V; ++v) {
            sum[v] += weight[i] * A(g.values[v]);
          }
        }
      }
      for (int v = 0; c < channels && v < V; ++v) {
        grad_value[row * channels + c + v] += sum[v];
      }
    }
  }
}

}  // namespace fmmp
