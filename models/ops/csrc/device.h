// What a kernel is told of its call. No ATen here.
#pragma once

#include "bilinear.h"

namespace fmmp {

struct Sizes {
  int64_t batch, tokens, value_heads, channels, queries, heads, num_levels, num_points;
};

// The levels, passed to a kernel by value ...
struct LevelArray {
  static constexpr int capacity = 16;
  Level levels[capacity];

  FMMP_INLINE Level operator[](int64_t i) const { return levels[i]; }
};

// ... or read from the device's memory.
struct LevelTensors {
  const int64_t* shapes;
  const int64_t* starts;

  FMMP_INLINE Level operator[](int64_t i) const {
    return {shapes[2 * i], shapes[2 * i + 1], starts[i]};
  }
};

}  // namespace fmmp
