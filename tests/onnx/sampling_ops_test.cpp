#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/one_op.h"
#include "cornu/tests/support/expect_error.h"

/// GridSample, AffineGrid, DeformConv and Col2Im compared with plain loops over their definitions.
namespace cornu {
namespace {

using testing::error_of;
using testing::expect_close;
using testing::Given;
using testing::list;
using testing::List;
using testing::NoInput;
using testing::normal;
using testing::reals_of;

/// The pixel at a whole position, which may be outside.
double pixel_at(const Tensor& x, Index b, Index c, Index row, Index column, const std::string& padding, bool corners) {
  const auto inside = [&](Index i, Index n) -> Index {
    if (padding == "zeros") return 0 <= i && i < n ? i : -1;
    if (padding == "border") return std::clamp(i, Index{0}, n - 1);
    while (n > 1 && (i < 0 || i >= n)) {  // mirrored at the first and last pixel, or half a pixel outside of them
      if (i < 0) i = corners ? -i : -i - 1;
      if (i >= n) i = corners ? 2 * (n - 1) - i : 2 * n - 1 - i;
    }
    return n == 1 ? 0 : i;
  };
  const Index i = inside(row, x.shape()[2]), j = inside(column, x.shape()[3]);
  return i < 0 || j < 0 ? 0 : static_cast<double>(x.at({b, c, i, j}));
}

/// The weight of a pixel at a distance.
double kernel_at(const std::string& mode, double distance) {
  const double d = std::abs(distance);
  if (mode == "linear") return std::max(0.0, 1 - d);
  if (d <= 1) return 1.25 * d * d * d - 2.25 * d * d + 1;
  return d < 2 ? -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3 : 0;
}

double mirrored(double x, double low, double high) {
  while (high > low && (x < low || x > high)) x = x < low ? 2 * low - x : 2 * high - x;
  return x;
}

TEST(OnnxSampling, GridSampleWeighsThePixelsAroundAPosition) {
  for (const std::string mode : {"linear", "cubic", "nearest"}) {
    for (const std::string padding : {"zeros", "border", "reflection"}) {
      for (const bool corners : {false, true}) {
        const Tensor x = normal({2, 2, 4, 3}, 1);
        Tensor grid = normal({2, 3, 5, 2}, 2);
        for (Real& v : grid) v *= Real(1.3);  // about a third of the positions are outside
        Tensor right({2, 2, 3, 5});
        for (Index b = 0; b < 2; ++b) {
          for (Index p = 0; p < 15; ++p) {
            const auto position = [&](Index part, Index n) {
              const double at = static_cast<double>(grid[(b * 15 + p) * 2 + part]), last = static_cast<double>(n - 1);
              double from = corners ? (at + 1) / 2 * last : ((at + 1) * (last + 1) - 1) / 2;
              if (mode == "nearest") from = std::nearbyint(from);
              const double edge = corners ? 0 : 0.5;
              if (padding == "reflection") from = mirrored(from, -edge, last + edge);
              // Positions up to half a pixel outside are not moved.
              if (padding == "border" && (from < -edge || from > last + edge)) from = std::clamp(from, 0.0, last);
              return from;
            };
            const double row = position(1, 4), column = position(0, 3);
            for (Index c = 0; c < 2; ++c) {
              double sum = 0;
              if (mode == "nearest") {
                sum = pixel_at(x, b, c, static_cast<Index>(row), static_cast<Index>(column), padding, corners);
              } else {
                const auto first_row = static_cast<Index>(std::floor(row)),
                           first_column = static_cast<Index>(std::floor(column));
                for (Index i = first_row - 2; i <= first_row + 3; ++i) {
                  for (Index j = first_column - 2; j <= first_column + 3; ++j) {
                    sum += kernel_at(mode, row - static_cast<double>(i)) *
                           kernel_at(mode, column - static_cast<double>(j)) * pixel_at(x, b, c, i, j, padding, corners);
                  }
                }
              }
              right[(b * 2 + c) * 15 + p] = static_cast<Real>(sum);
            }
          }
        }
        SCOPED_TRACE(mode + " " + padding + (corners ? " align_corners" : ""));
        const std::vector<Given> attributes{
            {"mode", mode}, {"padding_mode", padding}, {"align_corners", Index{corners}}};
        expect_close(reals_of("GridSample", {x, grid}, attributes, 20), right);
        const std::string old = mode == "nearest" ? mode : "bi" + mode;
        expect_close(reals_of("GridSample", {x, grid},
                              {{"mode", old}, {"padding_mode", padding}, {"align_corners", Index{corners}}}, 16),
                     right);
      }
    }
  }
}

TEST(OnnxSampling, AffineGridsMapThePositionsOfPixels) {
  for (const Index corners : {0, 1}) {
    const Tensor theta = normal({2, 2, 3}, 3);
    Tensor right({2, 3, 4, 2});
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < 3; ++i) {
        for (Index j = 0; j < 4; ++j) {
          const double y = corners != 0 ? static_cast<double>(i) - 1 : (2 * static_cast<double>(i) - 2) / 3,
                       x = corners != 0 ? (2 * static_cast<double>(j) - 3) / 3 : (2 * static_cast<double>(j) - 3) / 4;
          for (Index k = 0; k < 2; ++k) {
            const auto t = [&](Index m) { return static_cast<double>(theta.at({b, k, m})); };
            right.at({b, i, j, k}) = static_cast<Real>(t(0) * x + t(1) * y + t(2));
          }
        }
      }
    }
    expect_close(reals_of("AffineGrid", {theta, list({2, 5, 3, 4})}, {{"align_corners", corners}}, 20), right);
  }
}

TEST(OnnxSampling, DeformConvReadsBetweenPixels) {
  // group, offset_group, with and without mask and bias.
  for (const Index group : {1, 2}) {
    for (const Index offsets : {1, 2, 4}) {
      for (const bool all : {false, true}) {
        const Tensor x = normal({2, 4, 5, 6}, 1), w = normal({6, 4 / group, 3, 2}, 2), bias = normal({6}, 3);
        // Rows: (5 + 1 + 0 - 3) / 2 + 1 = 2. Columns: (6 + 0 + 1 - 3) / 1 + 1 = 5.
        const Tensor offset = normal({2, offsets * 12, 2, 5}, 4), mask = normal({2, offsets * 6, 2, 5}, 5);
        Tensor right({2, 6, 2, 5});
        for (Index b = 0; b < 2; ++b) {
          for (Index o = 0; o < 6; ++o) {
            for (Index i = 0; i < 2; ++i) {
              for (Index j = 0; j < 5; ++j) {
                double sum = all ? static_cast<double>(bias[o]) : 0;
                for (Index c = 0; c < 4; ++c) {
                  if (c / (4 / group) != o / (6 / group)) continue;
                  for (Index ki = 0; ki < 3; ++ki) {
                    for (Index kj = 0; kj < 2; ++kj) {
                      const Index tap = c / (4 / offsets) * 6 + ki * 2 + kj;
                      const double row = static_cast<double>(i * 2 - 1 + ki) +
                                         static_cast<double>(offset.at({b, 2 * tap, i, j})),
                                   column = static_cast<double>(j + kj * 2) +
                                            static_cast<double>(offset.at({b, 2 * tap + 1, i, j}));
                      double read = 0;
                      for (Index m = 0; m < 5; ++m) {
                        for (Index n = 0; n < 6; ++n) {
                          read += kernel_at("linear", row - static_cast<double>(m)) *
                                  kernel_at("linear", column - static_cast<double>(n)) *
                                  static_cast<double>(x.at({b, c, m, n}));
                        }
                      }
                      if (all) read *= static_cast<double>(mask.at({b, tap, i, j}));
                      sum += read * static_cast<double>(w.at({o, c % (4 / group), ki, kj}));
                    }
                  }
                }
                right.at({b, o, i, j}) = static_cast<Real>(sum);
              }
            }
          }
        }
        std::vector<testing::AnyInput> inputs{x, w, offset};
        if (all) inputs.insert(inputs.end(), {bias, mask});
        const std::vector<Given> attributes{{"group", group},
                                            {"offset_group", offsets},
                                            {"strides", List{2, 1}},
                                            {"pads", List{1, 0, 0, 1}},
                                            {"dilations", List{1, 2}}};
        expect_close(reals_of("DeformConv", inputs, attributes, 19), right, 1e-4);
      }
    }
  }
}

TEST(OnnxSampling, Col2ImAddsBlocks) {
  // Three axes; in the test, each number of the blocks is added where it was cut from.
  const List image{4, 3, 5}, block{2, 1, 3}, strides{2, 1, 1}, dilations{1, 1, 2}, pads{1, 0, 2, 0, 1, 1};
  // Positions: (4 + 1 - 2) / 2 + 1 = 2, (3 + 1 - 1) + 1 = 4, (5 + 3 - 5) + 1 = 4.
  const Tensor x = normal({2, 12, 32}, 1);
  Tensor right({2, 2, 4, 3, 5});
  for (Index b = 0; b < 2; ++b) {
    for (Index c = 0; c < 2; ++c) {
      for (Index k = 0; k < 6; ++k) {
        for (Index p = 0; p < 32; ++p) {
          const Index i = p / 16 * 2 + k / 3 - 1, j = p / 4 % 4, l = p % 4 + k % 3 * 2 - 2;
          if (0 <= i && i < 4 && j < 3 && 0 <= l && l < 5) right.at({b, c, i, j, l}) += x.at({b, c * 6 + k, p});
        }
      }
    }
  }
  const std::vector<Given> attributes{{"strides", strides}, {"dilations", dilations}, {"pads", pads}};
  expect_close(reals_of("Col2Im", {x, list(image), list(block)}, attributes, 18), right);
  expect_close(reals_of("Col2Im", {Tensor({1, 2, 2}, {1, 2, 3, 4}), list({3}), list({2})}, {}, 18),
               Tensor({1, 1, 3}, {1, 5, 4}));
}

TEST(OnnxSampling, RefusesWhatDoesNotFit) {
  const auto error = [](const char* op, const std::vector<testing::AnyInput>& inputs,
                        const std::vector<Given>& attributes = {}) {
    return error_of<Error>([&] { reals_of(op, inputs, attributes, 20); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << " lacks " << part;
  };
  const Tensor x = normal({1, 2, 3, 3}, 1), grid = normal({1, 2, 2, 2}, 2);
  has(error("GridSample", {normal({1, 2, 3, 3, 3}, 1), grid}), "(batch, channels, height, width) is required");
  has(error("GridSample", {x, normal({2, 2, 2, 2}, 2)}), "a grid of shape (2, 2, 2, 2) for images (1, 2, 3, 3)");
  has(error("GridSample", {x, grid}, {{"mode", "lanczos"}}), "mode is 'lanczos'");
  has(error("GridSample", {x, grid}, {{"padding_mode", "wrap"}}), "padding_mode is 'wrap'");
  has(error("AffineGrid", {normal({1, 3, 4}, 1), list({1, 2, 3, 4, 5})}), "a size of 5 numbers");
  has(error("AffineGrid", {normal({1, 3, 4}, 1), list({1, 2, 3, 4})}), "(batch, 2, 3) is required");
  has(error("AffineGrid", {normal({1, 2, 3}, 1), list({1, 2, 0, 4})}), "an image of 0 x 4 pixels");
  const Tensor w = normal({1, 2, 2, 2}, 3);
  has(error("DeformConv", {x, w, normal({1, 7, 2, 2}, 1)}), "offsets of shape (1, 7, 2, 2); (1, 8, 2, 2) are required");
  has(error("DeformConv", {x, w, normal({1, 8, 2, 2}, 1), NoInput{}, normal({1, 3, 2, 2}, 1)}), "a mask of shape");
  has(error("DeformConv", {x, w, normal({1, 8, 2, 2}, 1)}, {{"offset_group", Index{3}}}), "offset_group = 3");
  has(error("Col2Im", {normal({1, 5, 4}, 1), list({3}), list({2})}), "blocks (1, 5, 4)");
  has(error("Col2Im", {normal({1, 4, 4}, 1), list({3}), list({4})}), "are larger than 3 pixels and their padding");
}

/// Positions from the file: any number. Files hold floats, so the numbers here are floats in the double library too.
TEST(OnnxSampling, TakesAnyPosition) {
  constexpr Real huge = std::numeric_limits<float>::max(), infinite = std::numeric_limits<Real>::infinity(),
                 nan = std::numeric_limits<Real>::quiet_NaN();
  const Real wild[] = {0, -1, 1, 3, -7, Real(1e9), -huge, huge, infinite, -infinite, nan};
  const Tensor x({1, 1, 3, 3}, {.5, -1, .25, 2, 1, -.75, 3, .125, -2}), thin({1, 1, 1, 3}, {.5, -1, .25});
  for (const Real a : wild) {
    for (const Real b : wild) {
      const bool finite = std::isfinite(a) && std::isfinite(b);
      for (const std::string mode : {"linear", "cubic", "nearest"}) {
        for (const std::string padding : {"zeros", "border", "reflection"}) {
          for (const Index corners : {0, 1}) {
            const std::vector<Given> attributes{{"mode", mode}, {"padding_mode", padding}, {"align_corners", corners}};
            for (const Tensor& image : {x, thin}) {
              const Tensor y = reals_of("GridSample", {image, Tensor({1, 1, 1, 2}, {a, b})}, attributes, 20);
              EXPECT_TRUE(std::isfinite(y[0]) || !finite) << mode << padding << a << ' ' << b;
            }
          }
        }
      }
      Tensor offset({1, 2, 3, 3});
      offset[0] = a;
      offset[9] = b;
      const Tensor y = reals_of("DeformConv", {x, Tensor({1, 1, 1, 1}, {1}), offset}, {}, 19);
      EXPECT_EQ(y[1], x[1]);
      EXPECT_TRUE(std::isfinite(y[0]) || !finite) << a << ' ' << b;
    }
  }
}

}  // namespace
}  // namespace cornu
