#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Col2Im.
namespace cornu::onnx::detail {

namespace {

/// One axis of the image: where block position p and element k of a block lie, p stride + k dilation - before.
struct BlockAxis {
  Index n, block, stride, dilation, before, positions;
};

/// Adds blocks (batch, channels block, positions) to the images they were cut from, of any number of axes.
void col2im(Call& call) {
  const Var x = call[0];
  const Shape s = x.shape();
  const std::span<const Index> image = call.integers(1), block = call.integers(2);
  const std::size_t rank = image.size();
  require<FormatError>(
      s.rank() == 3 && 0 < rank && rank + 2 <= static_cast<std::size_t>(Shape::max_rank) && block.size() == rank,
      "blocks {}, {} numbers of image_shape and {} of block_shape", s, rank, block.size());
  const auto list = [&](const char* name, std::size_t count) {
    if (!call.has(name)) return std::span<const Index>();
    const std::span<const Index> given = call.integers(name);
    require<FormatError>(given.size() == count, "{} {}; {} are required", given.size(), name, count);
    return given;
  };
  const std::span<const Index> strides = list("strides", rank), dilations = list("dilations", rank),
                               pads = list("pads", 2 * rank);
  const std::span<BlockAxis> axes = call.memory<BlockAxis>(rank);
  constexpr Index most = Index{1} << 30;
  Shape of_image, of_block, of_positions;
  for (std::size_t i = 0; i < rank; ++i) {
    BlockAxis& a = axes[i];
    a = {image[i],
         block[i],
         strides.empty() ? 1 : strides[i],
         dilations.empty() ? 1 : dilations[i],
         pads.empty() ? 0 : pads[i],
         0};
    const Index after = pads.empty() ? 0 : pads[i + rank];
    require<FormatError>(0 < a.n && a.n <= most && 0 < a.block && a.block <= most && 0 < a.stride && a.stride <= most &&
                             0 < a.dilation && a.dilation <= most && 0 <= a.before && a.before <= most && 0 <= after &&
                             after <= most,
                         "{} pixels, blocks of {}, stride {}, dilation {}, pads {} and {}", a.n, a.block, a.stride,
                         a.dilation, a.before, after);
    const Index room = a.n + a.before + after - (a.block - 1) * a.dilation - 1;
    require<FormatError>(room >= 0, "blocks of {}, dilation {}, are larger than {} pixels and their padding", a.block,
                         a.dilation, a.n);
    a.positions = room / a.stride + 1;
    of_image = of_image.inserted(of_image.rank(), a.n);
    of_block = of_block.inserted(of_block.rank(), a.block);
    of_positions = of_positions.inserted(of_positions.rank(), a.positions);
  }
  require<FormatError>(s[1] % of_block.size() == 0 && s[2] == of_positions.size(),
                       "blocks {}; (batch, channels times {}, {}) is required", s, of_block.size(),
                       of_positions.size());
  const Index channels = s[1] / of_block.size();
  const Var y = call.tape().output(of_image.inserted(0, channels).inserted(0, s[0]), {x});
  std::fill(y.out().begin(), y.out().end(), Real{0});
  for (Index i = 0; i < x.size(); ++i) {
    Index position = i % s[2], element = i / s[2] % of_block.size(), flat = 0, stride = 1;
    bool inside = true;
    for (std::size_t axis = rank; axis-- > 0;) {
      const BlockAxis& a = axes[axis];
      const Index at = position % a.positions * a.stride + element % a.block * a.dilation - a.before;
      inside = inside && 0 <= at && at < a.n;
      flat += at * stride;
      stride *= a.n;
      position /= a.positions;
      element /= a.block;
    }
    if (inside) y.out()[i / s[2] / of_block.size() * of_image.size() + flat] += x.value()[i];
  }
  call.result(y);
}

}  // namespace

std::span<const Op> column_ops() {
  static constexpr Op ops[] = {
      {.name = "Col2Im",
       .since = 18,
       .inputs = {3, 3},
       .attributes = "dilations pads strides ",
       .gradient = Gradient::none,
       .run = col2im},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
