#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Images sampled between their pixels: AffineGrid, GridSample, DeformConv.
namespace cornu::onnx::detail {

namespace {

enum class Sampling { nearest, linear, cubic };
enum class Beyond { zeros, border, reflection };

/// Where a position on one axis reads: pixels and their weights. A pixel of -1 is outside and counts as 0.
struct Taps {
  std::array<Index, 4> pixels{};
  std::array<double, 4> weights{};
  std::size_t count = 0;

  void add(Index pixel, double weight) {
    pixels[count] = pixel;
    weights[count++] = weight;
  }
};

/// x mirrored at both ends until it lies between them.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (!(range > 0)) return low;
  const double rest = std::fmod(std::abs(x - low), 2 * range);
  return low + (rest <= range ? rest : 2 * range - rest);
}

/// An axis of n pixels. low, high: its ends, at which positions are mirrored.
struct SampledAxis {
  Index n;
  Sampling mode;
  Beyond beyond;
  double low, high;

  Index pixel(double at) const {
    if (beyond == Beyond::reflection) at = std::trunc(reflected(at, low, high));
    const auto last = static_cast<double>(n - 1);
    if (beyond == Beyond::zeros && !(0 <= at && at <= last)) return -1;
    return static_cast<Index>(std::clamp(at, 0.0, last));
  }

  /// x: in pixels.
  Taps taps(double x) const {
    Taps result;
    if (std::isnan(x)) {
      result.add(0, x);
      return result;
    }
    if (mode == Sampling::nearest) x = std::nearbyint(x);
    if (x < low || x > high) {
      if (beyond == Beyond::border) x = std::clamp(x, 0.0, static_cast<double>(n - 1));
      if (beyond == Beyond::reflection) x = reflected(std::clamp(x, -0x1p60, 0x1p60), low, high);
    }
    if (mode == Sampling::nearest) {
      result.add(pixel(x), 1);
      return result;
    }
    x = std::clamp(x, -4.0, static_cast<double>(n) + 4);  // all further positions are as far outside
    const double first = std::floor(x), t = x - first;
    if (mode == Sampling::linear) {
      result.add(pixel(first), 1 - t);
      result.add(pixel(first + 1), t);
      return result;
    }
    constexpr double a = -0.75;  // Keys, 1981
    const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    result.add(pixel(first - 1), far(t + 1));
    result.add(pixel(first), near(t));
    result.add(pixel(first + 1), near(1 - t));
    result.add(pixel(first + 2), far(2 - t));
    return result;
  }
};

/// The value of an image at these rows and columns.
double sample(const Real* image, Index width, const Taps& rows, const Taps& columns) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (std::size_t j = 0; j < columns.count; ++j) {
      if (rows.pixels[i] < 0 || columns.pixels[j] < 0) continue;
      sum +=
          rows.weights[i] * columns.weights[j] * static_cast<double>(image[rows.pixels[i] * width + columns.pixels[j]]);
    }
  }
  return sum;
}

void require_image(const Shape& s) {
  require<FormatError>(s.rank() == 4, "an input of shape {}; (batch, channels, height, width) is required", s);
  require<FormatError>(s[2] > 0 && s[3] > 0, "images of shape {} have no pixels", s);
}

/// Before opset 20, the modes are bilinear and bicubic.
void grid_sample(Call& call) {
  const Var x = call[0], grid = call[1];
  const Shape s = x.shape(), g = grid.shape();
  require_image(s);
  require<FormatError>(g.rank() == 4 && g[0] == s[0] && g[3] == 2, "a grid of shape {} for images {}", g, s);
  const std::string_view mode = call.text("mode", call.opset() < 20 ? "bilinear" : "linear"),
                         padding = call.text("padding_mode", "zeros");
  const bool is_linear = mode == "linear" || mode == "bilinear", is_cubic = mode == "cubic" || mode == "bicubic";
  require<FormatError>(is_linear || is_cubic || mode == "nearest", "mode is '{}'; linear, cubic and nearest are known",
                       mode);
  require<FormatError>(padding == "zeros" || padding == "border" || padding == "reflection",
                       "padding_mode is '{}'; zeros, border and reflection are known", padding);
  const bool corners = call.integer("align_corners", 0) != 0;
  const auto axis = [&](Index n) {
    const double edge = corners ? 0 : 0.5;
    return SampledAxis{n,
                       is_linear  ? Sampling::linear
                       : is_cubic ? Sampling::cubic
                                  : Sampling::nearest,
                       padding == "zeros"    ? Beyond::zeros
                       : padding == "border" ? Beyond::border
                                             : Beyond::reflection,
                       -edge, static_cast<double>(n - 1) + edge};
  };
  const SampledAxis rows = axis(s[2]), columns = axis(s[3]);
  const auto place = [&](Real at, Index n) {
    const double from = static_cast<double>(at) + 1, length = static_cast<double>(n);
    return corners ? from / 2 * (length - 1) : (from * length - 1) / 2;
  };
  const Var y = call.tape().output({s[0], s[1], g[1], g[2]}, {x, grid});
  const Index count = g[1] * g[2], pixels = s[2] * s[3];
  for (Index i = 0; i < s[0] * count; ++i) {
    const Real* const at = grid.value().data() + i * 2;
    const Taps of_row = rows.taps(place(at[1], s[2])), of_column = columns.taps(place(at[0], s[3]));
    for (Index c = 0; c < s[1]; ++c) {
      const Index image = i / count * s[1] + c;
      y.out()[image * count + i % count] =
          static_cast<Real>(sample(x.value().data() + image * pixels, s[3], of_row, of_column));
    }
  }
  call.result(y);
}

/// The positions (x, y) of the pixels of an image, from -1 to 1, under the affine maps theta (batch, 2, 3).
void affine_grid(Call& call) {
  const Var theta = call[0];
  const std::span<const Index> size = call.integers(1);
  require<FormatError>(size.size() == 4, "a size of {} numbers; (batch, channels, height, width) is required",
                       size.size());
  require<FormatError>(theta.shape() == Shape{size[0], 2, 3},
                       "theta has shape {} for a batch of {}; (batch, 2, 3) is "
                       "required",
                       theta.shape(), size[0]);
  const Index height = size[2], width = size[3];
  require<FormatError>(height > 0 && width > 0, "an image of {} x {} pixels", height, width);
  const bool corners = call.integer("align_corners", 0) != 0;
  const auto place = [&](Index i, Index n) {
    const auto at = static_cast<double>(i), length = static_cast<double>(n);
    if (!corners) return (2 * at + 1) / length - 1;
    return n == 1 ? -1 : 2 * at / (length - 1) - 1;
  };
  const View grid = call.tape().scratch({Shape{height, width}.size(), 3});
  for (Index i = 0; i < height * width; ++i) {
    grid[i * 3] = static_cast<Real>(place(i % width, width));
    grid[i * 3 + 1] = static_cast<Real>(place(i / width, height));
    grid[i * 3 + 2] = 1;
  }
  const Var y = matmul(call.tape().input(grid), theta, {.transpose_b = true});
  call.result(cornu::reshape(y, {size[0], height, width, 2}));
}

/// Input i + kernel position + offset, sampled linearly, times the weights (Zhu et al., 2018).
void deform_conv(Call& call) {
  const Var x = call[0], w = call[1], offset = call[2], mask = call.has(4) ? call[4] : Var();
  const Shape s = x.shape(), k = w.shape(), o = offset.shape();
  require_image(s);
  const Index groups = call.integer("group", 1), offset_groups = call.integer("offset_group", 1);
  require<FormatError>(k.rank() == 4 && 0 < k[2] && k[2] <= 4096 && 0 < k[3] && k[3] <= 4096 && groups > 0 &&
                           s[1] % groups == 0 && k[1] == s[1] / groups && k[0] % groups == 0 && offset_groups > 0 &&
                           offset_groups <= std::max(Index{1}, s[1]) && s[1] <= Index{1} << 30 &&
                           s[1] % offset_groups == 0,
                       "weights {} for images {}, with group = {} and offset_group = {}", k, s, groups, offset_groups);
  const auto list = [&](const char* name, Index count, Index otherwise, Index least) {
    std::array<Index, 4> result;
    result.fill(otherwise);
    if (!call.has(name)) return result;
    const std::span<const Index> given = call.integers(name);
    require<FormatError>(std::ssize(given) == count, "{} {}; {} are required", given.size(), name, count);
    for (std::size_t i = 0; i < given.size(); ++i) {
      require<FormatError>(least <= given[i] && given[i] < Index{1} << 30, "{} of {}", name, given[i]);
      result[i] = given[i];
    }
    return result;
  };
  const auto strides = list("strides", 2, 1, 1), dilations = list("dilations", 2, 1, 1), pads = list("pads", 4, 0, 0);
  if (call.has("kernel_shape")) {
    const std::span<const Index> kernel = call.integers("kernel_shape");
    require<FormatError>(kernel.size() == 2 && kernel[0] == k[2] && kernel[1] == k[3],
                         "kernel_shape differs from the weights {}", k);
  }
  const auto length = [&](Index axis) {
    const auto i = static_cast<std::size_t>(axis);
    const Index room = s[axis + 2] + pads[i] + pads[i + 2] - (k[axis + 2] - 1) * dilations[i] - 1;
    require<FormatError>(room >= 0, "the kernel {} spans more than the padded images {}", k, s);
    return room / strides[i] + 1;
  };
  const Index height = length(0), width = length(1), taps = k[2] * k[3], count = height * width;
  require<FormatError>(o == Shape{s[0], offset_groups * taps * 2, height, width},
                       "offsets of shape {}; {} are required", o, Shape{s[0], offset_groups * taps * 2, height, width});
  require<FormatError>(!mask || mask.shape() == Shape{s[0], offset_groups * taps, height, width}, "a mask of shape {}",
                       mask ? mask.shape() : Shape());
  require<FormatError>(!call.has(3) || call.shape(3) == Shape{k[0]}, "a bias of shape {} for {} channels",
                       call.has(3) ? call.shape(3) : Shape(), k[0]);
  // An operand that is left out is replaced by x: the output follows from it all the same.
  const Var bias = call.has(3) ? call[3] : Var();
  const Var y = call.tape().output({s[0], k[0], height, width}, {x, w, offset, mask ? mask : x, bias ? bias : x});
  const SampledAxis rows{s[2], Sampling::linear, Beyond::zeros, 0, static_cast<double>(s[2] - 1)},
      columns{s[3], Sampling::linear, Beyond::zeros, 0, static_cast<double>(s[3] - 1)};
  const Index of_group = k[0] / groups, in_group = k[1], in_offset = s[1] / offset_groups;
  const std::span<double> read = call.memory<double>(static_cast<std::size_t>(s[1] * taps));
  for (Index i = 0; i < s[0] * count; ++i) {
    const Index b = i / count, at = i % count;
    for (Index c = 0; c < s[1]; ++c) {
      for (Index tap = 0; tap < taps; ++tap) {
        const Index place = (b * offset_groups + c / in_offset) * taps + tap;
        const Real* const moved = offset.value().data() + place * 2 * count + at;
        const Index top = at / width * strides[0] - pads[0] + tap / k[3] * dilations[0],
                    left = at % width * strides[1] - pads[1] + tap % k[3] * dilations[1];
        const auto row = static_cast<double>(top), column = static_cast<double>(left);
        const double value = sample(x.value().data() + (b * s[1] + c) * s[2] * s[3], s[3],
                                    rows.taps(row + static_cast<double>(moved[0])),
                                    columns.taps(column + static_cast<double>(moved[count])));
        read[static_cast<std::size_t>(c * taps + tap)] =
            mask ? value * static_cast<double>(mask.value()[place * count + at]) : value;
      }
    }
    for (Index to = 0; to < k[0]; ++to) {
      double sum = bias ? static_cast<double>(bias.value()[to]) : 0;
      for (Index j = 0; j < in_group * taps; ++j) {
        sum += static_cast<double>(w.value()[to * in_group * taps + j]) *
               read[static_cast<std::size_t>(to / of_group * in_group * taps + j)];
      }
      y.out()[(b * k[0] + to) * count + at] = static_cast<Real>(sum);
    }
  }
  call.result(y);
}

}  // namespace

std::span<const Op> sampling_ops() {
  static constexpr Op ops[] = {
      {.name = "AffineGrid", .since = 20, .inputs = {2, 2}, .attributes = "align_corners ", .run = affine_grid},
      {.name = "DeformConv",
       .since = 19,
       .inputs = {3, 5},
       .attributes = "dilations group kernel_shape offset_group pads strides ",
       .gradient = Gradient::none,
       .run = deform_conv},
      {.name = "GridSample",
       .since = 16,
       .inputs = {2, 2},
       .attributes = "align_corners mode padding_mode ",
       .gradient = Gradient::none,
       .run = grid_sample},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
