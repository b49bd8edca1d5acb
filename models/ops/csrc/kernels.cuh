// The CUDA kernels, as templates without ATen: the test suite runs this same source on the CPU,
// where a small header supplies what CUDA would.
#pragma once

#include "device.h"

namespace fmmp {

// V neighbouring channels, read and written at once.
template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T values[V];
};

// `sampled` (B, Q, heads, C) and `inside` (B, Q, heads). A thread has V channels of one head, its
// neighbours the next ones. A is the type to compute in.
template <typename T, typename A, int V, typename Levels>
__global__ void sample_forward(
    Sizes s, Levels levels, const T* value, const T* locations, const T* weights, T* sampled,
    T* inside) {
  const int64_t packs = s.channels / V;
  const int64_t total = s.batch * s.queries * s.heads * packs;
  const int64_t stride = s.value_heads * s.channels;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total;
       i += step) {
    const int64_t channel = i % packs * V, group = i / packs;
    const int64_t head = s.value_heads == 1 ? 0 : group % s.heads;
    const int64_t batch = group / s.heads / s.queries;
    const T* base = value + batch * s.tokens * stride + head * s.channels + channel;
    A sum[V] = {}, total_inside = 0;
    int64_t sample = group * s.num_levels * s.num_points;
    for (int64_t l = 0; l < s.num_levels; ++l) {
      const Level level = levels[l];
      for (int64_t p = 0; p < s.num_points; ++p, ++sample) {
        Corners<A> at;
        if (!at.locate(A(locations[2 * sample]), A(locations[2 * sample + 1]), level)) {
          continue;
        }
        for (int k = 0; k < 4; ++k) {
          if (at.inside[k]) {
            const A weight = A(weights[sample]) * at.weight[k];
            const auto row = *reinterpret_cast<const Pack<T, V>*>(base + at.token[k] * stride);
            total_inside += weight;
            for (int v = 0; v < V; ++v) {
              sum[v] += weight * A(row.values[v]);
            }
          }
        }
      }
    }
    Pack<T, V> result;
    for (int v = 0; v < V; ++v) {
      result.values[v] = T(sum[v]);
    }
    *reinterpret_cast<Pack<T, V>*>(sampled + group * s.channels + channel) = result;
    if (channel == 0) {
      inside[group] = T(total_inside);
    }
  }
}

// The sum over `lanes` neighbouring lanes of a warp (a power of two), those in `mask`; right in the
// first of them.
template <typename A>
__device__ A sum_lanes(A x, unsigned mask, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    x += __shfl_down_sync(mask, x, offset, lanes);
  }
  return x;
}

// Adds to `grad_value` (B, N, value_heads, C), of the type that is computed in, and writes the
// gradients of locations and weights. `lanes` neighbouring lanes of a warp have one head and share
// its channels. Heads meet in the values' gradient alone, which is why that one needs atomics; the
// others are summed over the lanes and written once.
template <typename T, typename A, int V, typename Levels>
__global__ void sample_backward(
    Sizes s, Levels levels, int lanes, const T* grad_sampled, const T* grad_inside, const T* value,
    const T* locations, const T* weights, A* grad_value, T* grad_locations, T* grad_weights) {
  const int lane = threadIdx.x % lanes;
  const int first_lane = threadIdx.x % 32 / lanes * lanes;
  const unsigned mask = (lanes == 32 ? ~0u : (1u << lanes) - 1) << first_lane;
  const int64_t heads_a_block = blockDim.x / lanes;
  const int64_t total = s.batch * s.queries * s.heads;
  const int64_t stride = s.value_heads * s.channels;
  for (int64_t group = blockIdx.x * heads_a_block + threadIdx.x / lanes; group < total;
       group += gridDim.x * heads_a_block) {
    const int64_t head = s.value_heads == 1 ? 0 : group % s.heads;
    const int64_t batch = group / s.heads / s.queries;
    const int64_t base = batch * s.tokens * stride + head * s.channels;
    int64_t sample = group * s.num_levels * s.num_points;
    for (int64_t l = 0; l < s.num_levels; ++l) {
      const Level level = levels[l];
      for (int64_t p = 0; p < s.num_points; ++p, ++sample) {
        A along_x = 0, along_y = 0, along_weight = 0;
        Corners<A> at;
        // All lanes of a head come to the same answer here.
        if (at.locate(A(locations[2 * sample]), A(locations[2 * sample + 1]), level)) {
          const A weight = A(weights[sample]);
          A dot[4] = {};
          for (int64_t c = static_cast<int64_t>(lane) * V; c < s.channels; c += lanes * V) {
            const auto grad =
                *reinterpret_cast<const Pack<T, V>*>(grad_sampled + group * s.channels + c);
            for (int k = 0; k < 4; ++k) {
              if (at.inside[k]) {
                const int64_t offset = base + at.token[k] * stride + c;
                const auto row = *reinterpret_cast<const Pack<T, V>*>(value + offset);
                for (int v = 0; v < V; ++v) {
                  dot[k] += A(grad.values[v]) * A(row.values[v]);
                  atomicAdd(
                      grad_value + offset + v, weight * at.weight[k] * A(grad.values[v]));
                }
              }
            }
          }
          for (int k = 0; k < 4; ++k) {
            if (lane == 0 && at.inside[k]) {
              dot[k] += A(grad_inside[group]);
            }
            along_weight += at.weight[k] * dot[k];
          }
          along_x = sum_lanes(weight * at.along_x(dot, level), mask, lanes);
          along_y = sum_lanes(weight * at.along_y(dot, level), mask, lanes);
          along_weight = sum_lanes(along_weight, mask, lanes);
        }
        if (lane == 0) {
          grad_locations[2 * sample] = T(along_x);
          grad_locations[2 * sample + 1] = T(along_y);
          grad_weights[sample] = T(along_weight);
        }
      }
    }
  }
}

}  // namespace fmmp
