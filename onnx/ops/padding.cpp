#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Borders of tensors, and blocks of pixels as channels.
namespace cornu::onnx::detail {

namespace {

enum class Mode { constant, reflect, edge, wrap };

/// The position that `at`, counted from the begin of an axis of n, has the elements of; -1: none.
Index position_of(Index at, Index n, Mode mode) {
  if (0 <= at && at < n) return at;
  switch (mode) {
    case Mode::constant:
      return -1;
    case Mode::edge:
      return at < 0 ? 0 : n - 1;
    case Mode::wrap:
      return (at % n + n) % n;
    case Mode::reflect: {
      const Index period = std::max(Index{1}, 2 * (n - 1)), inside = (at % period + period) % period;
      return inside < n ? inside : period - inside;
    }
  }
  return -1;
}

/// x with `before` and `after` more positions along an axis; negative ones remove positions.
Value padded(Call& call, const Value& x, Index axis, Index before, Index after, Mode mode, double fill) {
  if (before == 0 && after == 0) return x;
  const Index n = x.shape()[axis];
  constexpr Index most = Index{1} << 40;
  require<FormatError>(-most < before && before < most && -most < after && after < most,
                       "pads {} and {} along axis {}; they must be less than 2^40", before, after, axis);
  require<FormatError>(n + before + after >= 0, "pads {} and {} remove more than the {} positions of axis {}", before,
                       after, n, axis);
  require<FormatError>(mode == Mode::constant || n > 0 || n + before + after == 0,
                       "axis {} of {} is empty; only constants can be added to it", axis, x.shape());
  const std::span<Index> positions = counted(call.tape(), x.shape().with(axis, n + before + after)[axis]);
  for (Index& position : positions) position = position_of(position - before, n, mode);
  return take(call.tape(), x, axis, positions, fill);
}

/// Before opset 11, the widths and the value are attributes. As of opset 18, the widths may be of some axes.
void pad(Call& call) {
  const std::string_view name = call.text("mode", "constant");
  static constexpr std::array<std::string_view, 4> modes{"constant", "reflect", "edge", "wrap"};
  const auto* const found = std::find(modes.begin(), modes.end(), name);
  require<FormatError>(found != modes.end(), "mode is '{}'; constant, reflect, edge and wrap are known", name);
  const auto mode = static_cast<Mode>(found - modes.begin());
  const auto widths = call.integers(1, "pads");
  require<FormatError>(widths.has_value(), "it has no pads");
  const double fill = call.has(2) ? call.number(2) : call.real("value", 0);
  Value y = call.value(0);
  const Shape shape = y.shape();
  const std::span<const Index> axes = call.has(3) ? call.integers(3) : counted(call.tape(), shape.rank());
  require<FormatError>(widths->size() == 2 * axes.size(), "{} pads for {} axes; two for each are required",
                       widths->size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    y = padded(call, y, axis_of(axes[i], shape), (*widths)[i], (*widths)[i + axes.size()], mode, fill);
  }
  call.result(0, y);
}

/// Crops or pads axes to given lengths, the same on both sides; an odd position is at the end.
void center_crop_pad(Call& call) {
  Value y = call.value(0);
  const Shape shape = y.shape();
  const std::span<const Index> lengths = call.integers(1);
  const std::span<const Index> axes = call.has("axes") ? call.integers("axes") : counted(call.tape(), shape.rank());
  require<FormatError>(lengths.size() == axes.size(), "{} lengths for {} axes", lengths.size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Index axis = axis_of(axes[i], shape), n = shape[axis];
    require<FormatError>(lengths[i] >= 0, "length {} is negative", lengths[i]);
    const Index more = lengths[i] - n, before = more < 0 ? -(-more / 2) : more / 2;
    y = padded(call, y, axis, before, more - before, Mode::constant, 0);
  }
  call.result(0, y);
}

/// The side of the blocks; throws FormatError unless the input is a batch of images.
Index block_of(const Call& call) {
  const Index side = call.integer("blocksize");
  require<FormatError>(call.shape(0).rank() == 4, "an input of shape {}; (batch, channels, height, width) is required",
                       call.shape(0));
  require<FormatError>(1 <= side && side <= Index{1} << 20, "blocksize is {}", side);
  return side;
}

void depth_to_space(Call& call) {
  const Index side = block_of(call);
  const Shape s = call.shape(0);
  const std::string_view mode = call.text("mode", "DCR");
  require<FormatError>(mode == "DCR" || mode == "CRD", "mode is '{}'; DCR and CRD are known", mode);
  require<FormatError>(s[1] % (side * side) == 0, "{} channels for blocks of {} x {}", s[1], side, side);
  const Index channels = s[1] / side / side;
  Tape& tape = call.tape();
  Value y;
  if (mode == "DCR") {
    y = reshape(call.value(0), {s[0], side, side, channels, s[2], s[3]});
    y = transpose(tape, y, std::array<Index, 6>{0, 3, 4, 1, 5, 2});
  } else {
    y = reshape(call.value(0), {s[0], channels, side, side, s[2], s[3]});
    y = transpose(tape, y, std::array<Index, 6>{0, 1, 4, 2, 5, 3});
  }
  call.result(0, reshape(y, {s[0], channels, s[2] * side, s[3] * side}));
}

void space_to_depth(Call& call) {
  const Index side = block_of(call);
  const Shape s = call.shape(0);
  require<FormatError>(s[2] % side == 0 && s[3] % side == 0, "images of {} x {} for blocks of {} x {}", s[2], s[3],
                       side, side);
  Value y = reshape(call.value(0), {s[0], s[1], s[2] / side, side, s[3] / side, side});
  y = transpose(call.tape(), y, std::array<Index, 6>{0, 3, 5, 1, 2, 4});
  call.result(0, reshape(y, {s[0], s[1] * side * side, s[2] / side, s[3] / side}));
}

}  // namespace

std::span<const Op> padding_ops() {
  static constexpr Op ops[] = {
      {.name = "CenterCropPad",
       .since = 18,
       .inputs = {2, 2},
       .attributes = "axes ",
       .takes = anything,
       .run = center_crop_pad},
      {.name = "DepthToSpace", .attributes = "blocksize mode ", .takes = anything, .run = depth_to_space},
      {.name = "Pad", .since = 2, .inputs = {1, 4}, .attributes = "mode pads value ", .takes = anything, .run = pad},
      {.name = "SpaceToDepth", .attributes = "blocksize ", .takes = anything, .run = space_to_depth},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
