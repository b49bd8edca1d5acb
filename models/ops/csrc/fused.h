// Deformable attention with its value projection. Sampling is linear, so that
//
//   sum a (V x + b) = V (sum a x) + b (sum a w),   w: how much of a sample lies inside its map,
//
// and projecting what was sampled, not all tokens, saves most of the arithmetic. It is done a tile
// of queries at a time: what was sampled is D / C times as large as the result.
#pragma once

#include <ATen/OpMathType.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <vector>

#include "ops.h"

namespace fmmp {

// A gradient that many threads or tiles add to: float32 where the values have fewer bits.
inline at::Tensor zeros_to_add_to(const at::Tensor& value) {
  return at::zeros(
      value.sizes(), value.options().dtype(at::toOpMathType(value.scalar_type())));
}

// Queries `start` to `start + size` of the batch's elements `batch` to `batch + count`.
struct Tile {
  int64_t batch, count, start, size;

  at::Tensor of(const at::Tensor& tensor) const {
    return tensor.narrow(0, batch, count).narrow(1, start, size);
  }
};

inline std::vector<Tile> tiles(int64_t batch, int64_t queries, int64_t queries_a_tile) {
  std::vector<Tile> result;
  if (queries == 0) {
    return result;
  }
  const int64_t count = std::max<int64_t>(queries_a_tile / queries, 1);
  const int64_t pieces = (queries + queries_a_tile - 1) / queries_a_tile;
  const int64_t size = (queries + pieces - 1) / pieces;
  for (int64_t b = 0; b < batch; b += count) {
    for (int64_t q = 0; q < queries; q += size) {
      result.push_back({b, std::min(count, batch - b), q, std::min(size, queries - q)});
    }
  }
  return result;
}

// The sizes of one call and its tiles.
struct FusedSizes {
  int64_t batch, queries, heads, dims, channels;
  std::vector<Tile> tiling;

  FusedSizes(
      const at::Tensor& tokens, const at::Tensor& locations, const at::Tensor& value_weight,
      int64_t bytes_a_tile)
      : batch(locations.size(0)),
        queries(locations.size(1)),
        heads(locations.size(2)),
        dims(tokens.size(2)),
        channels(value_weight.size(0) / heads) {
    const int64_t bytes_a_query = heads * dims * tokens.element_size();
    tiling = tiles(batch, queries, std::max<int64_t>(bytes_a_tile / bytes_a_query, 1));
  }
};

// Kernels has, for the device,
//   forward(value, locations, weights, sampled, inside), which writes the last two,
//   backward(grad_sampled, grad_inside, value, locations, weights, grad_value, grad_locations,
//            grad_weights), which adds to grad_value and writes the last two;
// all tensors are contiguous, value is (B, N, heads or 1, C).
template <typename Kernels>
at::Tensor fused_forward(
    const Kernels& kernels, const at::Tensor& tokens, const at::Tensor& locations,
    const at::Tensor& weights, const at::Tensor& value_weight, const at::Tensor& value_bias,
    int64_t bytes_a_tile) {
  const FusedSizes s(tokens, locations, value_weight, bytes_a_tile);
  const auto value = tokens.unsqueeze(2);
  const auto projection = value_weight.view({s.heads, s.channels, s.dims}).transpose(1, 2);
  const auto result =
      at::empty({s.batch, s.queries, s.heads, s.channels}, tokens.options());
  auto inside = at::empty({s.batch, s.queries, s.heads}, tokens.options());
  for (const auto& tile : s.tiling) {
    auto sampled = at::empty({tile.count, tile.size, s.heads, s.dims}, tokens.options());
    auto tile_inside = at::empty({tile.count, tile.size, s.heads}, tokens.options());
    kernels.forward(
        value.narrow(0, tile.batch, tile.count), tile.of(locations).contiguous(),
        tile.of(weights).contiguous(), sampled, tile_inside);
    const auto projected = at::bmm(sampled.flatten(0, 1).transpose(0, 1), projection);
    tile.of(result).copy_(projected.transpose(0, 1).reshape(
        {tile.count, tile.size, s.heads, s.channels}));
    tile.of(inside).copy_(tile_inside);
  }
  result.addcmul_(inside.unsqueeze(-1), value_bias.view({s.heads, s.channels}));
  return result.flatten(2);
}

template <typename Kernels>
Quintuple fused_backward(
    const Kernels& kernels, const at::Tensor& grad, const at::Tensor& tokens,
    const at::Tensor& locations, const at::Tensor& weights, const at::Tensor& value_weight,
    const at::Tensor& value_bias, int64_t bytes_a_tile) {
  const FusedSizes s(tokens, locations, value_weight, bytes_a_tile);
  const auto value = tokens.unsqueeze(2);
  const auto projection = value_weight.view({s.heads, s.channels, s.dims});
  const auto bias = value_bias.view({s.heads, 1, s.channels});
  const auto grad_heads = grad.view({s.batch, s.queries, s.heads, s.channels});

  const auto grad_value = zeros_to_add_to(value);
  const auto grad_locations = at::empty_like(locations), grad_weights = at::empty_like(weights);
  const auto grad_projection = at::zeros_like(projection), grad_bias = at::zeros_like(bias);
  for (const auto& tile : s.tiling) {
    const auto tile_value = value.narrow(0, tile.batch, tile.count);
    const auto tile_locations = tile.of(locations).contiguous();
    const auto tile_weights = tile.of(weights).contiguous();
    auto sampled = at::empty({tile.count, tile.size, s.heads, s.dims}, tokens.options());
    auto inside = at::empty({tile.count, tile.size, s.heads}, tokens.options());
    kernels.forward(tile_value, tile_locations, tile_weights, sampled, inside);

    // Heads first: (heads, tile's queries, C or D).
    const auto tile_grad = tile.of(grad_heads).flatten(0, 1).transpose(0, 1).contiguous();
    const auto heads_first = sampled.flatten(0, 1).transpose(0, 1);
    const auto inside_first = inside.flatten(0, 1).transpose(0, 1).unsqueeze(-1);
    grad_projection.baddbmm_(tile_grad.transpose(1, 2), heads_first);
    grad_bias.add_(tile_grad.mul(inside_first).sum(1, true));
    heads_first.copy_(at::bmm(tile_grad, projection));  // now the gradient of what was sampled
    inside_first.copy_(tile_grad.mul(bias).sum(-1, true));

    auto tile_grad_value = grad_value.narrow(0, tile.batch, tile.count);
    auto tile_grad_locations = at::empty_like(tile_locations);
    auto tile_grad_weights = at::empty_like(tile_weights);
    kernels.backward(
        sampled, inside, tile_value, tile_locations, tile_weights, tile_grad_value,
        tile_grad_locations, tile_grad_weights);
    tile.of(grad_locations).copy_(tile_grad_locations);
    tile.of(grad_weights).copy_(tile_grad_weights);
  }
  return {
      grad_value.squeeze(2).to(value.scalar_type()), grad_locations, grad_weights, grad_projection.flatten(0, 1),
      grad_bias.flatten()};
}

}  // namespace fmmp
