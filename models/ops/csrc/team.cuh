// A team of threads has a head's samples in common: each lane locates one of them, then all lanes
// go through what was located, with some of the head's channels each.
#pragma once

#include "device.h"

namespace fmmp {

constexpr int kThreads = 256;    // of a block; told of it by __launch_bounds__, ptxas spills
constexpr int kFewestLanes = 4;  // of a team, which Team::sum_corners needs
constexpr int kMostLanes = 32;

// V neighbouring channels, read and written at once.
template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T values[V];
};

template <int bytes>
struct Word;
template <>
struct Word<2> { using type = unsigned short; };
template <>
struct Word<4> { using type = unsigned; };
template <>
struct Word<8> { using type = uint2; };
template <>
struct Word<16> { using type = uint4; };

// Reads what no thread writes meanwhile, through the read-only cache.
template <int V = 1, typename T>
__device__ __forceinline__ Pack<T, V> load(const T* from) {
  const auto word = __ldg(reinterpret_cast<const typename Word<sizeof(T) * V>::type*>(from));
  Pack<T, V> result;
  memcpy(&result, &word, sizeof word);
  return result;
}

// Of each corner of a sample: where its row starts, counted from the head's first, or -1 for no row;
// and a number, its weight or its product with a gradient.
template <typename A, typename Index>
struct Slot {
  Pack<Index, 4> row;
  Pack<A, 4> number;
};

// `lanes` neighbouring lanes of a warp, a power of two.
struct Team {
  // One more place a team, so that the teams of a warp read different banks of shared memory.
  static constexpr int places = kThreads + kThreads / kFewestLanes;

  int lanes, lane, place, index;
  unsigned mask;

  __device__ explicit Team(int lanes)
      : lanes(lanes),
        lane(threadIdx.x & (lanes - 1)),
        place(threadIdx.x - lane + threadIdx.x / lanes),  // of the team's first in shared memory
        index(threadIdx.x / lanes),
        mask((~0u >> (32 - lanes)) << (threadIdx.x - lane) % 32) {}

  // Teams take turns: this one's first item, and how far it is from one to the next.
  __device__ int64_t first() const { return int64_t(blockIdx.x) * (blockDim.x / lanes) + index; }
  __device__ int64_t step() const { return int64_t(gridDim.x) * (blockDim.x / lanes); }

  __device__ void sync() const { __syncwarp(mask); }

  // Sums of four numbers over the lanes; lane i has that of x[i % 4]. Two lanes first exchange
  // halves of what they have, then quarters, which takes 3 + log2(lanes / 4) shuffles, not four
  // times log2(lanes).
  template <typename A>
  __device__ A sum_corners(const A (&x)[4]) const {
    const bool odd = lane & 1, high = lane & 2;
    const A top = (odd ? x[1] : x[0]) + exchange(odd ? x[0] : x[1], 1);
    const A bottom = (odd ? x[3] : x[2]) + exchange(odd ? x[2] : x[3], 1);
    A sum = (high ? bottom : top) + exchange(high ? top : bottom, 2);
    for (int distance = 4; distance < lanes; distance *= 2) {
      sum += exchange(sum, distance);
    }
    return sum;
  }

 private:
  template <typename A>
  __device__ A exchange(A x, int distance) const {
    return __shfl_xor_sync(mask, x, distance);
  }
};

// Locates a group's sample `i`; no corner is inside if there is none. Levels in the device's memory
// may be wrong, so that tokens are compared with N.
template <typename A, typename T, typename Index>
__device__ __forceinline__ Corners<A, Index> locate(
    const Samples<T, Index>& in, Index group, Index i, Level& level, A& weight) {
  Corners<A, Index> at{};
  if (i < in.sizes.samples()) {
    const Index sample = group * in.sizes.samples() + i;
    const A x = A(load(in.locations + 2 * sample).values[0]);
    const A y = A(load(in.locations + 2 * sample + 1).values[0]);
    level = in.levels[i / in.sizes.num_points];
    if (at.locate(x, y, level)) {
      weight = A(load(in.weights + sample).values[0]);
    }
    for (int k = 0; k < 4; ++k) {
      at.inside[k] = at.inside[k] && at.token[k] >= 0 && at.token[k] < in.sizes.tokens;
    }
  }
  return at;
}

// The corners as the team's other lanes want them.
template <typename A, typename Index>
__device__ __forceinline__ Slot<A, Index> slot(
    const Corners<A, Index>& at, A weight, Index stride) {
  Slot<A, Index> result;
  for (int k = 0; k < 4; ++k) {
    result.row.values[k] = at.inside[k] ? at.token[k] * stride : -1;
    result.number.values[k] = at.inside[k] ? weight * at.weight[k] : A(0);
  }
  return result;
}

// Calls visit(rows, weights) for each of a group's samples, in order, in all lanes. `again`: for the
// same group as in the last call; what that one located, if it was one turn, still stands in `slots`.
template <typename A, typename T, typename Index, typename Visit>
__device__ __forceinline__ void for_each_sample(
    const Team& team, Slot<A, Index>* slots, const Samples<T, Index>& in, Index group, bool again,
    const Visit& visit) {
  const Index samples = in.sizes.samples();
  const Index stride = in.sizes.value_heads * in.sizes.channels;
  for (Index first = 0; first < samples; first += team.lanes) {
    if (!again || samples > team.lanes) {
      Level level;
      A weight = 0;
      const auto at = locate<A>(in, group, first + team.lane, level, weight);
      team.sync();  // all have read what was there before
      slots[team.lane] = slot(at, weight, stride);
      team.sync();
    }
    const int count = samples - first < team.lanes ? int(samples - first) : team.lanes;
#pragma unroll 2  // so that eight rows are under way
    for (int i = 0; i < count; ++i) {
      visit(slots[i].row, slots[i].number);
    }
  }
}

}  // namespace fmmp
