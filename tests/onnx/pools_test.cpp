#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/special_values.h"

/// MaxPool and AveragePool compared with windows that are enumerated one by one.
namespace cornu {
namespace {

using testing::List;
using testing::normal;
using testing::Writer;

/// One axis of `before + in + after` positions, of which [before, before + in) are pixels.
struct Axis {
  Index in, taps, stride, dilation, before, after;
  List starts{};  // start of each window

  Index reach() const { return (taps - 1) * dilation + 1; }
  Index end() const { return before + in + after; }
  bool has_pixel(Index position) const { return before <= position && position < before + in; }
};

struct Pool {
  std::vector<Axis> axes;
  bool ceil_mode, count_include_pad;
  std::string auto_pad;
};

/// Places windows: as many as fit; with ceil_mode until one reaches the end, but none that starts after the last pixel.
void place_windows(Axis& axis, const Pool& pool) {
  if (pool.auto_pad.starts_with("SAME")) {
    axis.before = axis.after = 0;
    for (Index start = 0; start < axis.in; start += axis.stride) axis.starts.push_back(start);
    const Index outside = std::max(Index{0}, axis.starts.back() + axis.reach() - axis.in);
    (pool.auto_pad == "SAME_UPPER" ? axis.before : axis.after) = outside / 2;
    (pool.auto_pad == "SAME_UPPER" ? axis.after : axis.before) = outside - outside / 2;
    return;
  }
  if (pool.auto_pad == "VALID") axis.before = axis.after = 0;
  for (Index start = 0; start + axis.reach() <= axis.end(); start += axis.stride) axis.starts.push_back(start);
  if (!pool.ceil_mode || axis.starts.empty()) return;
  const Index next = axis.starts.back() + axis.stride, reached = axis.starts.back() + axis.reach();
  if (reached < axis.end() && next < axis.before + axis.in) axis.starts.push_back(next);
}

struct Expected {
  std::vector<double> largest, mean;
  std::vector<Index> position;
};

Expected expected_pools(const Pool& pool, const Tensor& x, Index channels) {
  const Axis &rows = pool.axes[0], &columns = pool.axes[1];
  Expected result;
  for (Index c = 0; c < channels; ++c) {
    for (const Index top : rows.starts) {
      for (const Index left : columns.starts) {
        double largest = -INFINITY, sum = 0;
        Index count = 0, at = -1;
        for (Index u = 0; u < rows.taps; ++u) {
          for (Index v = 0; v < columns.taps; ++v) {
            const Index i = top + u * rows.dilation, j = left + v * columns.dilation;
            const bool is_pixel = rows.has_pixel(i) && columns.has_pixel(j);
            if (pool.count_include_pad ? i < rows.end() && j < columns.end() : is_pixel) ++count;
            if (!is_pixel) continue;
            const Index flat = (c * rows.in + i - rows.before) * columns.in + j - columns.before;
            const auto pixel = static_cast<double>(x[flat]);
            sum += pixel;
            if (pixel > largest) at = flat;
            largest = std::max(largest, pixel);
          }
        }
        result.largest.push_back(largest);
        result.position.push_back(at);
        result.mean.push_back(count == 0 ? 0 : sum / static_cast<double>(count));
      }
    }
  }
  return result;
}

TEST(OnnxPools, MatchWindowsEnumeratedOneByOne) {
  Rng rng(22);
  const auto draw = [&](Index least, Index most) {
    return least + static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most - least + 1));
  };
  int dropped = 0;
  for (int round = 0; round < 4000; ++round) {
    const bool is_1d = draw(0, 1) == 1, is_max = draw(0, 1) == 1;
    const Index channels = draw(1, 2), opset = draw(10, 17);
    Pool pool{{}, draw(0, 1) == 1, draw(0, 1) == 1, "NOTSET"};
    if (draw(0, 3) == 0) pool.auto_pad = std::array{"SAME_UPPER", "SAME_LOWER", "VALID"}[rng.bits() % 3];
    List kernel, strides, dilations, before, after, shape{1, channels};
    for (int i = 0; i < 2; ++i) {
      Axis axis{1, 1, 1, 1, 0, 0};
      if (i == 1 || !is_1d) {
        axis = {draw(1, 9), draw(1, 4), draw(1, 5), is_max ? draw(1, 3) : 1, 0, 0};
        axis.before = draw(0, axis.taps - 1);
        axis.after = draw(0, axis.taps - 1);
        kernel.push_back(axis.taps);
        strides.push_back(axis.stride);
        dilations.push_back(axis.dilation);
        before.push_back(axis.before);
        after.push_back(axis.after);
        shape.push_back(axis.in);
      }
      place_windows(axis, pool);
      pool.axes.push_back(axis);
    }
    if (pool.axes[0].starts.empty() || pool.axes[1].starts.empty()) continue;  // no window fits
    before.insert(before.end(), after.begin(), after.end());
    std::vector<testing::Given> attributes{{"kernel_shape", kernel},
                                           {"strides", strides},
                                           {"auto_pad", std::string_view(pool.auto_pad)},
                                           {"ceil_mode", Index{pool.ceil_mode}}};
    if (pool.auto_pad == "NOTSET") attributes.push_back({"pads", before});
    if (is_max) attributes.push_back({"dilations", dilations});
    if (!is_max) attributes.push_back({"count_include_pad", Index{pool.count_include_pad}});
    const Tensor x = normal(Shape(shape), static_cast<std::uint64_t>(round));
    const Expected expected = expected_pools(pool, x, channels);
    const bool wants_positions = is_max && std::count(expected.position.begin(), expected.position.end(), -1) == 0;

    Writer writer;
    writer.input("x", shape);
    const std::vector<std::string> in{"x"};
    std::vector<std::string> out{"y"};
    if (wants_positions) out.emplace_back("positions");
    writer.node_of(is_max ? "MaxPool" : "AveragePool", "", in, out, attributes, "pool");
    for (const std::string& name : out) writer.output(name, {});
    const auto came = onnx::parse(writer.finished("g", opset)).run({{"x", x}});
    List result{1, channels};
    if (!is_1d) result.push_back(std::ssize(pool.axes[0].starts));
    result.push_back(std::ssize(pool.axes[1].starts));
    ASSERT_EQ(came.at("y").shape(), Shape(result)) << round;
    for (Index i = 0; i < came.at("y").size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double right = is_max ? expected.largest[at] : expected.mean[at];
      if (std::isinf(right)) {
        ASSERT_EQ(static_cast<double>(came.at("y")[i]), right) << round << " at " << i;
      } else {
        ASSERT_NEAR(static_cast<double>(came.at("y")[i]), right, 1e-5) << round << " at " << i;
      }
      if (wants_positions) {
        ASSERT_EQ(came.at("positions")[i], static_cast<Real>(expected.position[at])) << round;
      }
    }
    for (const Axis& axis : pool.axes) {
      const bool is_short = axis.starts.back() + axis.reach() < axis.end();
      dropped += pool.ceil_mode && pool.auto_pad == "NOTSET" && is_short ? 1 : 0;
    }
  }
  EXPECT_GT(dropped, 100);  // windows that ceil_mode alone would have added
}

TEST(OnnxPools, AWindowBeyondThePixelsIsDropped) {
  const onnx::Model model = testing::fixture("maxpool_ceil_1d");
  const Tensor x = normal({1, 1, 8}, 1), y = model.predict(x);
  ASSERT_EQ(y.shape(), (Shape{1, 1, 3}));
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(y[i], x[3 * i]);
}

TEST(OnnxPools, TheMaximumOfAWindowWithANaNIsNaN) {
  Writer writer;
  const Index shape[] = {1, 1, 4};
  writer.input("x", shape);
  const std::vector<std::string> in{"x"}, out{"y", "positions"};
  const testing::Given kernel[] = {{"kernel_shape", List{2}}, {"strides", List{2}}};
  writer.node_of("MaxPool", "", in, out, kernel, "pool");
  for (const std::string& name : out) writer.output(name, {});
  Tensor x({1, 1, 4});
  x[3] = testing::nan;
  const auto came = onnx::parse(writer.finished("g")).run({{"x", x}});
  EXPECT_TRUE(std::isnan(came.at("y")[1]));
  EXPECT_EQ(came.at("positions")[0], 0);
  EXPECT_EQ(came.at("positions")[1], 3);
}

}  // namespace
}  // namespace cornu
