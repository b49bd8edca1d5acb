// What a kernel is told of its call. No ATen here.
#pragma once

#include "bilinear.h"

namespace fmmp {

// Index is the integer to count in: 32 bits where everything has few enough elements, see `wide` in
// cuda_launch.h.
template <typename Index>
struct Sizes {
  Index batch, tokens, value_heads, channels, queries, heads, num_levels, num_points;

  FMMP_INLINE Index groups() const { return batch * queries * heads; }
  FMMP_INLINE Index samples() const { return num_levels * num_points; }  // of a group
};

// The levels: passed to a kernel by value or, where `shapes` is given, read from the device's
// memory, where nobody has checked them.
struct Levels {
  static constexpr int capacity = 16;
  Level listed[capacity];
  const int64_t* shapes;
  const int64_t* starts;

  FMMP_INLINE Level operator[](int64_t i) const {
    return shapes ? Level{shapes[2 * i], shapes[2 * i + 1], starts[i]} : listed[i];
  }
};

// Where all heads of all queries sample. A *group* is one head of one query of one element of the
// batch; they are numbered in the order of memory.
template <typename T, typename Index>
struct Samples {
  Sizes<Index> sizes;
  Levels levels;
  const T* locations;  // (B, Q, heads, L, P, 2)
  const T* weights;    // (B, Q, heads, L, P)

  // Which row of (B, N, value_heads) a group's token has.
  FMMP_INLINE Index row(Index group, Index token) const {
    const Index batch = group / (sizes.queries * sizes.heads);
    const Index head = sizes.value_heads == 1 ? 0 : group % sizes.heads;
    return (batch * sizes.tokens + token) * sizes.value_heads + head;
  }
};

}  // namespace fmmp
