// The levels' maps, read on the host and checked against the number of tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bilinear.h"
#include "ops.h"

namespace fmmp {

inline std::vector<Level> read_levels(
    at::IntArrayRef shapes, at::IntArrayRef starts, int64_t tokens) {
  check_levels(shapes, starts);
  std::vector<Level> levels;
  int64_t total = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const Level level{shapes[2 * i], shapes[2 * i + 1], starts[i]};
    TORCH_CHECK_VALUE(
        level.height > 0 && level.width > 0 && level.height <= tokens && level.width <= tokens &&
            level.start >= 0 && level.start <= tokens - level.height * level.width,
        "level ", i, " of height ", level.height, " and width ", level.width,
        ", starting at token ", level.start, ", does not lie within the ", tokens, " tokens");
    total += level.height * level.width;
    levels.push_back(level);
  }
  TORCH_CHECK_VALUE(
      total == tokens, "the levels' heights times widths sum to ", total, ", expected ", tokens,
      ", the number of tokens");
  return levels;
}

inline std::vector<Level> read_levels(
    const at::Tensor& shapes, const at::Tensor& starts, int64_t tokens) {
  check_levels(shapes, starts);
  TORCH_CHECK_VALUE(
      shapes.is_cpu() && starts.is_cpu(),
      "spatial_shapes and level_start_index must be on the CPU as the values are, got ",
      shapes.device(), " and ", starts.device());
  const auto contiguous = shapes.contiguous(), contiguous_starts = starts.contiguous();
  return read_levels(
      at::IntArrayRef(contiguous.data_ptr<int64_t>(), contiguous.numel()),
      at::IntArrayRef(contiguous_starts.data_ptr<int64_t>(), contiguous_starts.numel()), tokens);
}

}  // namespace fmmp
