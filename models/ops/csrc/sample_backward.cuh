// The gradients of locations and weights. A sample's follow from the four products of its corners'
// rows with the gradient of what its head sampled: all lanes sum those, and the lane that located
// the sample does the rest.
#pragma once

#include "team.cuh"

namespace fmmp {

template <typename T, typename A, int V, typename Index>
__global__ void sample_backward(
    const __grid_constant__ Samples<T, Index> in, int lanes, const T* grad_sampled,
    const T* grad_inside, const T* value, T* grad_locations, T* grad_weights) {
  __shared__ Slot<A, Index> room[Team::places];
  const Team team(lanes);
  Slot<A, Index>* slots = room + team.place;
  const Index channels = in.sizes.channels, samples = in.sizes.samples();
  const Index stride = in.sizes.value_heads * channels;  // from a token's row to the next one's
  for (Index group = team.first(); group < in.sizes.groups(); group += team.step()) {
    const T* base = value + in.row(group, 0) * channels;
    const T* grad = grad_sampled + group * channels;
    for (Index first = 0; first < samples; first += lanes) {
      Level level{};
      A weight = 0;
      const auto at = locate<A>(in, group, first + team.lane, level, weight);
      slots[team.lane] = slot(at, weight, stride);
      team.sync();
      for (int i = 0; i < lanes && first + i < samples; ++i) {
        const auto row = slots[i].row;
        A dot[4] = {};
        for (Index c = team.lane * V; c < channels; c += lanes * V) {
          const auto g = load<V>(grad + c);
          Pack<T, V> corner[4] = {};
          for (int k = 0; k < 4; ++k) {
            if (row.values[k] >= 0) {
              corner[k] = load<V>(base + row.values[k] + c);
            }
          }
          for (int k = 0; k < 4; ++k) {
            for (int v = 0; v < V; ++v) {
              dot[k] += A(g.values[v]) * A(corner[k].values[v]);
            }
          }
        }
        const A sum = team.sum_corners(dot);
        if (team.lane < 4) {
          slots[i].number.values[team.lane] = sum;
        }
      }
      team.sync();
      if (first + team.lane < samples) {
        A dot[4], along_weight = 0;
        for (int k = 0; k < 4; ++k) {
          dot[k] = at.inside[k] ? slots[team.lane].number.values[k] + A(grad_inside[group]) : A(0);
          along_weight += at.weight[k] * dot[k];
        }
        const Index sample = group * samples + first + team.lane;
        grad_locations[2 * sample] = T(weight * at.along_x(dot, level));
        grad_locations[2 * sample + 1] = T(weight * at.along_y(dot, level));
        grad_weights[sample] = T(along_weight);
      }
    }
  }
}

}  // namespace fmmp
