#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/core/ops/resample.h"
#include "cornu/onnx/ops/ops.h"

/// Resize and Upsample, one axis after the other.
namespace cornu::onnx::detail {

namespace {

struct Options {
  std::string_view mode, coordinates, nearest;
  double cubic = -0.75;
  bool exclude_outside = false, antialias = false;
  double extrapolation = 0;
};

/// One axis: from `in` to `out` positions. scale: out to in, not rounded. begin, end: the part to crop to.
struct Axis {
  Index in, out;
  double scale, begin = 0, end = 1;
};

/// The position in the input that output i has.
double position_of(const Options& options, const Axis& axis, Index i) {
  const auto x = static_cast<double>(i), in = static_cast<double>(axis.in), out = axis.scale * in;
  const std::string_view how = options.coordinates;
  const double half = (x + 0.5) / axis.scale - 0.5;
  if (how == "half_pixel") return half;
  if (how == "pytorch_half_pixel") return axis.out == 1 ? -0.5 : half;
  if (how == "asymmetric") return x / axis.scale;
  if (how == "align_corners") return axis.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (how == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
  if (how == "half_pixel_symmetric") return in / 2 * (1 - static_cast<double>(axis.out) / out) + half;
  // tf_crop_and_resize
  const double length = (axis.end - axis.begin) * (in - 1);
  return axis.begin * (in - 1) + (axis.out == 1 ? length / 2 : x * length / (out - 1));
}

/// How far rounded scales may move position x.
double rounding_of(double x) { return 0x1p-22 * std::max(1.0, std::abs(x)); }

/// The position that `nearest` takes. Scales are floats: x is whole, or halfway, if it is so but for their rounding.
Index nearest_of(const Options& options, double x) {
  const double twice = std::round(2 * x);
  if (std::abs(x - twice / 2) <= rounding_of(x)) x = twice / 2;
  const double low = std::floor(x), rest = x - low;
  if (rest == 0) return static_cast<Index>(low);
  const bool up = options.nearest == "ceil" || (options.nearest == "round_prefer_floor" && rest > 0.5) ||
                  (options.nearest == "round_prefer_ceil" && rest >= 0.5);
  return static_cast<Index>(low) + (up ? 1 : 0);
}

/// The weight of a pixel at distance x.
double weight_of(const Options& options, double x) {
  x = std::abs(x);
  if (options.mode == "linear") return std::max(0.0, 1 - x);
  const double a = options.cubic;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

bool is_outside(const Options& options, const Axis& axis, double x) {
  const auto last = static_cast<double>(axis.in - 1);
  return options.coordinates == "tf_crop_and_resize" && (x < -rounding_of(0) || x > last + rounding_of(last));
}

Value nearest_along(Call& call, const Value& x, Index at, const Options& options, const Axis& axis) {
  const std::span<Index> positions = counted(call.tape(), axis.out);
  for (Index& position : positions) {
    const double from = position_of(options, axis, position);
    position = is_outside(options, axis, from) ? -1 : std::clamp(nearest_of(options, from), Index{0}, axis.in - 1);
  }
  return take(call.tape(), x, at, positions, options.extrapolation);
}

/// Weighted sums of neighbours. A position outside repeats the edge, or is left out with exclude_outside.
Value weighted_along(Call& call, const Value& x, Index at, const Options& options, const Axis& axis) {
  const double shrink = options.antialias ? std::min(1.0, axis.scale) : 1;
  const double reach = (options.mode == "linear" ? 1 : 2) / shrink;
  const Index first = static_cast<Index>(std::floor(-reach)) + 1, taps = 2 - 2 * first;
  require<FormatError>(0 < taps && taps < Index{1} << 24, "an antialiasing filter of {} pixels", taps);
  const std::span<Index> positions = counted(call.tape(), Shape{axis.out, taps}.size());
  const View weights = call.tape().scratch({axis.out, taps});
  std::fill(weights.begin(), weights.end(), Real{0});
  std::fill(positions.begin(), positions.end(), Index{0});
  bool any_outside = false;
  for (Index i = 0; i < axis.out; ++i) {
    const double from = position_of(options, axis, i);
    if (is_outside(options, axis, from)) {
      any_outside = true;
      continue;
    }
    const double low = std::ceil(from) - 1, rest = from - low;  // 1 for a whole position
    double sum = 0;
    for (const bool counts_only : {true, false}) {
      for (Index k = 0; k < taps; ++k) {
        const Index position = static_cast<Index>(low) + first + k;
        double weight = weight_of(options, (static_cast<double>(first + k) - rest) * shrink);
        if (options.exclude_outside && (position < 0 || position >= axis.in)) weight = 0;
        if (counts_only) {
          sum += weight;
        } else {
          positions[static_cast<std::size_t>(i * taps + k)] = std::clamp(position, Index{0}, axis.in - 1);
          weights[i * taps + k] =
              static_cast<Real>(options.exclude_outside || options.antialias ? weight / sum : weight);
        }
      }
    }
  }
  Var y = cornu::detail::resample(plain(x), call.tape().input(weights), at, positions);
  if (any_outside) {
    Shape shape{axis.out};
    while (shape.rank() < y.rank() - at) shape = shape.inserted(shape.rank(), 1);
    const View beyond = call.tape().scratch(shape);
    for (Index i = 0; i < axis.out; ++i) {
      const bool outside = is_outside(options, axis, position_of(options, axis, i));
      beyond[i] = outside ? static_cast<Real>(options.extrapolation) : Real{0};
    }
    y = y + call.tape().input(beyond);
  }
  return {.type = x.type, .var = y};
}

Value along(Call& call, const Value& x, Index at, const Options& options, const Axis& axis) {
  const bool is_same = axis.in == axis.out && axis.scale == 1 && options.coordinates != "tf_crop_and_resize";
  if (is_same) return x;
  require<FormatError>(axis.in > 0, "axis {} of {} is empty", at, x.shape());
  if (options.mode == "nearest") return nearest_along(call, x, at, options, axis);
  require<FormatError>(x.is_real(), "it interpolates whole numbers; only nearest can");
  return weighted_along(call, x, at, options, axis);
}

/// The product, as a whole number. Throws FormatError unless the scale is positive and the result less than 2^40.
Index scaled(double scale, Index n, double product) {
  require<FormatError>(scale > 0 && product < 0x1p40, "scale {} of {} positions", scale, n);
  return static_cast<Index>(std::floor(product));
}

/// floor(scale n) in single precision, as in ONNX: 10 positions times 0.7 are 7.
Index scaled(double scale, Index n) {
  return scaled(scale, n, static_cast<double>(static_cast<float>(scale) * static_cast<float>(n)));
}

void require_one_of(std::string_view what, std::string_view value, std::initializer_list<std::string_view> names) {
  if (std::find(names.begin(), names.end(), value) != names.end()) return;
  throw FormatError(message("{} is '{}', which is not known", what, value));
}

Options options_of(const Call& call) {
  // Before opset 11, positions are i / scale, rounded down.
  const bool is_old = call.opset() < 11;
  Options options{.mode = call.text("mode", "nearest"),
                  .coordinates = call.text("coordinate_transformation_mode", is_old ? "asymmetric" : "half_pixel"),
                  .nearest = call.text("nearest_mode", is_old ? "floor" : "round_prefer_floor"),
                  .cubic = call.real("cubic_coeff_a", -0.75),
                  .exclude_outside = call.integer("exclude_outside", 0) != 0,
                  .antialias = call.integer("antialias", 0) != 0,
                  .extrapolation = call.real("extrapolation_value", 0)};
  if (options.mode == "bilinear") options.mode = "linear";
  require_one_of("mode", options.mode, {"nearest", "linear", "cubic"});
  require_one_of("coordinate_transformation_mode", options.coordinates,
                 {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn",
                  "half_pixel_symmetric", "tf_crop_and_resize"});
  require_one_of("nearest_mode", options.nearest, {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"});
  return options;
}

/// The numbers of an input, or none if it is left out or empty.
std::span<const Real> numbers_of(const Call& call, std::size_t input) {
  if (!call.has(input) || call.value(input).size() == 0) return {};
  const ConstView numbers = call[input].value();
  return {numbers.data(), static_cast<std::size_t>(numbers.size())};
}

/// Before opset 11, the scales are input 1. As of opset 18, some axes may be given.
void resize(Call& call) {
  const Options options = options_of(call);
  Value y = call.value(0);
  const Shape shape = y.shape();
  const bool is_old = call.opset() < 11;
  const std::span<const Index> axes = call.has("axes") ? call.integers("axes") : counted(call.tape(), shape.rank());
  const std::span<const Real> scales = numbers_of(call, is_old ? 1 : 2),
                              regions = is_old ? std::span<const Real>() : numbers_of(call, 1);
  const bool has_sizes = call.has(3) && call.value(3).size() > 0;
  require<FormatError>(scales.empty() == has_sizes, "either scales or sizes are required");
  const std::span<const Index> sizes = has_sizes ? call.integers(3) : std::span<const Index>();
  require<FormatError>((has_sizes ? sizes.size() : scales.size()) == axes.size(), "{} scales or sizes for {} axes",
                       has_sizes ? sizes.size() : scales.size(), axes.size());
  const bool crops = options.coordinates == "tf_crop_and_resize";
  require<FormatError>(!crops || regions.size() == 2 * axes.size(), "{} numbers of a region for {} axes",
                       regions.size(), axes.size());
  const std::string_view policy = call.text("keep_aspect_ratio_policy", "stretch");
  require_one_of("keep_aspect_ratio_policy", policy, {"stretch", "not_larger", "not_smaller"});
  std::optional<double> common;
  for (std::size_t i = 0; has_sizes && i < axes.size() && policy != "stretch"; ++i) {
    const double scale = static_cast<double>(sizes[i]) / static_cast<double>(shape[axis_of(axes[i], shape)]);
    common = !common ? scale : policy == "not_larger" ? std::min(*common, scale) : std::max(*common, scale);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Index at = axis_of(axes[i], shape);
    Axis axis{.in = shape[at], .out = 0, .scale = 0};
    if (common) {
      axis.scale = *common;
      axis.out = scaled(*common, axis.in, *common * static_cast<double>(axis.in) + 0.5);
    } else if (has_sizes) {
      require<FormatError>(0 < sizes[i] && sizes[i] < Index{1} << 40, "size {} of axis {}", sizes[i], at);
      axis.scale = static_cast<double>(sizes[i]) / static_cast<double>(axis.in);
      axis.out = sizes[i];
    } else {
      axis.scale = static_cast<double>(scales[i]);
      axis.out = scaled(axis.scale, axis.in);
    }
    if (crops) {
      axis.begin = static_cast<double>(regions[i]);
      axis.end = static_cast<double>(regions[i + axes.size()]);
    }
    y = along(call, y, at, options, axis);
  }
  call.result(0, y);
}

/// Resize as it was: positions i / scale, rounded down. Before opset 9, the scales are an attribute.
void upsample(Call& call) {
  const Options options{.mode = call.text("mode", "nearest") == "bilinear" ? "linear" : call.text("mode", "nearest"),
                        .coordinates = "asymmetric",
                        .nearest = "floor"};
  require_one_of("mode", options.mode, {"nearest", "linear"});
  Value y = call.value(0);
  const Shape shape = y.shape();
  const std::span<const Real> given = numbers_of(call, 1);
  const std::size_t count = call.has(1) ? given.size() : call.attribute("scales", AttributeType::reals).reals.size();
  require<FormatError>(static_cast<Index>(count) == shape.rank(), "{} scales for {} axes", count, shape.rank());
  for (std::size_t i = 0; i < count; ++i) {
    const double scale =
        call.has(1) ? static_cast<double>(given[i]) : call.attribute("scales", AttributeType::reals).reals[i];
    const auto at = static_cast<Index>(i);
    y = along(call, y, at, options, {.in = shape[at], .out = scaled(scale, shape[at]), .scale = scale});
  }
  call.result(0, y);
}

}  // namespace

std::span<const Op> resize_ops() {
  static constexpr Op ops[] = {
      {.name = "Resize",
       .since = 10,
       .inputs = {1, 4},
       .attributes = "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
                     "keep_aspect_ratio_policy mode nearest_mode ",
       .takes = anything,
       .run = resize},
      {.name = "Upsample",
       .since = 7,
       .inputs = {1, 2},
       .attributes = "mode scales ",
       .takes = anything,
       .run = upsample},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
