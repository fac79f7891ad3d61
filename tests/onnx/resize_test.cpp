#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cornu/tests/onnx/one_op.h"

/// Resize as of opset 18 and CenterCropPad compared with plain loops.
namespace cornu {
namespace {

using testing::expect_close;
using testing::Given;
using testing::list;
using testing::List;
using testing::NoInput;
using testing::normal;
using testing::reals_of;
using testing::whole_of;

struct ResizedAxis {
  Index axis, out;
  double scale;
};

/// One axis after the other, each as a sum over all pixels of the input and of its repeated edges.
Tensor resized(Tensor x, const std::vector<ResizedAxis>& axes, const std::string& mode, bool antialias,
               bool symmetric) {
  for (const ResizedAxis& a : axes) {
    const Index n = x.shape()[a.axis], inner = x.shape().sub(a.axis + 1).size();
    Tensor y(x.shape().with(a.axis, a.out));
    for (Index i = 0; i < y.size(); ++i) {
      const Index before = i / inner / a.out;
      const double shift = symmetric ? static_cast<double>(n) / 2 - static_cast<double>(a.out) / (2 * a.scale) : 0;
      const double at = shift + (static_cast<double>(i / inner % a.out) + 0.5) / a.scale - 0.5;
      const auto value = [&](Index k) {
        return static_cast<double>(x[(before * n + std::clamp(k, Index{0}, n - 1)) * inner + i % inner]);
      };
      if (mode == "nearest") {
        y[i] = static_cast<Real>(value(static_cast<Index>(std::ceil(at - 0.5))));  // half: the lower one
        continue;
      }
      const double shrink = antialias ? std::min(1.0, a.scale) : 1;
      double sum = 0, total = 0;
      for (Index k = -40; k < n + 40; ++k) {
        const double d = std::abs(at - static_cast<double>(k)) * shrink;
        double weight = std::max(0.0, 1 - d);
        if (mode == "cubic") {
          weight = d <= 1  ? 1.25 * d * d * d - 2.25 * d * d + 1
                   : d < 2 ? -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3
                           : 0;
        }
        sum += weight * value(k);
        total += weight;
      }
      y[i] = static_cast<Real>(sum / total);
    }
    x = y;
  }
  return x;
}

TEST(OnnxResize, OfOpset18IsTheSumOfWeightedPixels) {
  const Tensor x = normal({2, 5, 4, 6}, 1);
  for (const std::string mode : {"nearest", "linear", "cubic"}) {
    for (const bool antialias : {false, true}) {
      if (mode == "nearest" && antialias) continue;
      for (const bool symmetric : {false, true}) {
        const std::vector<Given> attributes{
            {"mode", mode},
            {"antialias", Index{antialias}},
            {"axes", List{3, 1}},
            {"coordinate_transformation_mode", symmetric ? "half_pixel_symmetric" : "half_pixel"}};
        SCOPED_TRACE(mode + (antialias ? " antialias" : "") + (symmetric ? " symmetric" : ""));
        const Tensor scales({2}, {Real(0.6), Real(1.7)});  // 6 to 3 columns, 5 to 8 channels
        const std::vector<ResizedAxis> by_scales{{3, 3, static_cast<double>(scales[0])},
                                                 {1, 8, static_cast<double>(scales[1])}};
        expect_close(reals_of("Resize", {x, NoInput{}, scales}, attributes, symmetric ? 19 : 18),
                     resized(x, by_scales, mode, antialias, symmetric), 1e-4);
        const std::vector<ResizedAxis> by_sizes{{3, 2, 2.0 / 6}, {1, 7, 7.0 / 5}};
        expect_close(reals_of("Resize", {x, NoInput{}, NoInput{}, list({2, 7})}, attributes, symmetric ? 19 : 18),
                     resized(x, by_sizes, mode, antialias, symmetric), 1e-4);
      }
    }
  }
}

TEST(OnnxResize, KeepsTheRatioOfSides) {
  const Tensor x = normal({1, 1, 4, 6}, 2);
  for (const bool larger : {false, true}) {
    // 10 / 4 = 2.5 and 9 / 6 = 1.5.
    const double scale = larger ? 2.5 : 1.5;
    const Tensor right = resized(x, {{2, larger ? 10 : 6, scale}, {3, larger ? 15 : 9, scale}}, "linear", false, false);
    const std::vector<Given> attributes{{"mode", "linear"},
                                        {"axes", List{-2, -1}},
                                        {"keep_aspect_ratio_policy", larger ? "not_smaller" : "not_larger"}};
    expect_close(reals_of("Resize", {x, NoInput{}, NoInput{}, list({10, 9})}, attributes, 18), right);
  }
}

TEST(OnnxResize, CenterCropPadMovesTheMiddle) {
  for (Index n = 1; n <= 5; ++n) {
    for (Index wanted = 0; wanted <= 7; ++wanted) {
      const Tensor x = normal({2, n, 3}, static_cast<std::uint64_t>(n));
      // An odd difference leaves one more element, cut or added, at the end.
      const Index cut = wanted < n ? (n - wanted) / 2 : 0, added = wanted > n ? (wanted - n) / 2 : 0;
      Tensor right({2, wanted, 3});
      std::vector<std::int64_t> whole(static_cast<std::size_t>(wanted), 0);
      for (Index i = 0; i < wanted; ++i) {
        const Index from = i + cut - added;
        if (from < 0 || from >= n) continue;
        whole[static_cast<std::size_t>(i)] = 10 + from;
        for (Index k = 0; k < 6; ++k) right.at({k / 3, i, k % 3}) = x.at({k / 3, from, k % 3});
      }
      expect_close(reals_of("CenterCropPad", {x, list({wanted})}, {{"axes", List{-2}}}, 18), right);
      expect_close(reals_of("CenterCropPad", {x, list({2, wanted, 3})}, {}, 18), right);
      List numbers;
      for (Index i = 0; i < n; ++i) numbers.push_back(10 + i);
      EXPECT_EQ(whole_of("CenterCropPad", {list(numbers), list({wanted})}, {}, 18).elements, whole);
    }
  }
}

}  // namespace
}  // namespace cornu
