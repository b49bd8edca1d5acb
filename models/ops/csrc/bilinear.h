// Where a sample lies among the tokens of a level. For every device, so without ATen.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#define FMMP_INLINE __host__ __device__ __forceinline__
#else
#define FMMP_INLINE inline __attribute__((always_inline))
#endif

namespace fmmp {

// A level's map, its rows one after the other from token `start` on.
struct Level {
  int64_t height;
  int64_t width;
  int64_t start;
};

// The four pixels around a location: top left, top right, bottom left, bottom right. Index is the
// integer to count tokens in. A level that nobody checked gives wrong tokens, but no overflow.
template <typename T, typename Index = int64_t>
struct Corners {
  Index token[4];
  T weight[4];
  bool inside[4];
  T dx;  // how far right of the left pixels, in pixels
  T dy;

  // False where all four lie outside the map, which includes a location that is not a number: the
  // comparison comes before the conversion to an integer, which a huge number would overflow.
  FMMP_INLINE bool locate(T x, T y, const Level& level) {
    const Index width = static_cast<Index>(level.width), height = static_cast<Index>(level.height);
    const T px = x * T(width) - T(0.5);
    const T py = y * T(height) - T(0.5);
    if (!(px > T(-1) && py > T(-1) && px < T(width) && py < T(height))) {
      return false;
    }
    Index left = static_cast<Index>(px);
    Index top = static_cast<Index>(py);
    left -= px < T(left);
    top -= py < T(top);
    dx = px - T(left);
    dy = py - T(top);
    const bool in_left = left >= 0, in_right = left + 1 < width;
    const bool in_top = top >= 0, in_bottom = top + 1 < height;
    inside[0] = in_top && in_left;
    inside[1] = in_top && in_right;
    inside[2] = in_bottom && in_left;
    inside[3] = in_bottom && in_right;
    using Wraps = typename std::make_unsigned<Index>::type;
    const Wraps first = Wraps(level.start) + Wraps(top) * Wraps(width) + Wraps(left);
    token[0] = static_cast<Index>(first);
    token[1] = static_cast<Index>(first + 1);
    token[2] = static_cast<Index>(first + Wraps(width));
    token[3] = static_cast<Index>(first + Wraps(width) + 1);
    weight[0] = (T(1) - dy) * (T(1) - dx);
    weight[1] = (T(1) - dy) * dx;
    weight[2] = dy * (T(1) - dx);
    weight[3] = dy * dx;
    return true;
  }

  // The derivatives of sum_k weight[k] * dot[k] along x and y of the location; `dot` is 0 outside.
  FMMP_INLINE T along_x(const T (&dot)[4], const Level& level) const {
    return T(level.width) * ((T(1) - dy) * (dot[1] - dot[0]) + dy * (dot[3] - dot[2]));
  }
  FMMP_INLINE T along_y(const T (&dot)[4], const Level& level) const {
    return T(level.height) * ((T(1) - dx) * (dot[2] - dot[0]) + dx * (dot[3] - dot[1]));
  }
};

}  // namespace fmmp
