// What each head samples: sum over levels, points and corners of weight times row.
#pragma once

#include "team.cuh"

namespace fmmp {

// Writes `sampled` (B, Q, heads, C) and `inside` (B, Q, heads); `value` is (B, N, value_heads, C).
// A is the type to compute in; a lane has V channels at a time.
template <typename T, typename A, int V, typename Index>
__global__ void sample_forward(
    const __grid_constant__ Samples<T, Index> in, int lanes, const T* value, T* sampled,
    T* inside) {
  __shared__ Slot<A, Index> slots[Team::places];
  const Team team(lanes);
  const Index channels = in.sizes.channels;
  for (Index group = team.first(); group < in.sizes.groups(); group += team.step()) {
    const T* base = value + in.row(group, 0) * channels;
    for (Index start = 0; start < channels; start += lanes * V) {
      const Index c = start + team.lane * V;
      A sum[V] = {}, total = 0;
      const auto add = [&](Pack<Index, 4> row, Pack<A, 4> weight) {
        Pack<T, V> corner[4] = {};
        for (int k = 0; k < 4; ++k) {  // apart from the sums, so that all four are under way
          if (row.values[k] >= 0 && c < channels) {
            corner[k] = load<V>(base + row.values[k] + c);
          }
        }
        for (int k = 0; k < 4; ++k) {
          total += weight.values[k];
          for (int v = 0; v < V; ++v) {
            sum[v] += weight.values[k] * A(corner[k].values[v]);
          }
        }
      };
      for_each_sample<A>(team, slots + team.place, in, group, start > 0, add);
      if (c < channels) {
        Pack<T, V> result;
        for (int v = 0; v < V; ++v) {
          result.values[v] = T(sum[v]);
        }
        *reinterpret_cast<Pack<T, V>*>(sampled + group * channels + c) = result;
      }
      if (c == 0) {
        inside[group] = T(total);
      }
    }
  }
}

}  // namespace fmmp
