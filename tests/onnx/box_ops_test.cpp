#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/one_op.h"
#include "cornu/tests/support/expect_error.h"

/// NonMaxSuppression and RoiAlign compared with plain loops.
namespace cornu {
namespace {

using testing::error_of;
using testing::expect_close;
using testing::Given;
using testing::list;
using testing::List;
using testing::NoInput;
using testing::normal;
using testing::number;
using testing::reals_of;
using testing::whole_of;

Tensor scalar_of(double v) { return Tensor({}, {static_cast<Real>(v)}); }

/// The overlap of boxes of whole numbers, counted in squares of side 1.
double counted_overlap(const Real* a, const Real* b) {
  const auto inside = [](const Real* box, int y, int x) {
    const auto between = [](Real p, Real q, int i) {
      return std::min(p, q) <= static_cast<Real>(i) && static_cast<Real>(i) < std::max(p, q);
    };
    return between(box[0], box[2], y) && between(box[1], box[3], x);
  };
  double both = 0, any = 0;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      both += inside(a, y, x) && inside(b, y, x) ? 1 : 0;
      any += inside(a, y, x) || inside(b, y, x) ? 1 : 0;
    }
  }
  return both == 0 ? 0 : both / any;
}

TEST(OnnxBoxes, NonMaxSuppressionKeepsTheBestOfOverlappingBoxes) {
  Rng rng(5);
  const auto draw = [&](Index most) { return static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most + 1)); };
  for (int round = 0; round < 100; ++round) {
    const Index n = 1 + draw(7), most = draw(4);
    Tensor corners({2, n, 4}), centers({2, n, 4}), scores({2, 3, n});
    for (Index i = 0; i < 2 * n; ++i) {
      for (Index j = 0; j < 4; ++j) corners[i * 4 + j] = static_cast<Real>(draw(8));
      const auto at = [&](Index j) { return corners[i * 4 + j]; };
      centers[i * 4] = (at(1) + at(3)) / 2;
      centers[i * 4 + 1] = (at(0) + at(2)) / 2;
      centers[i * 4 + 2] = std::abs(at(3) - at(1));
      centers[i * 4 + 3] = std::abs(at(2) - at(0));
    }
    for (Real& score : scores) score = static_cast<Real>(draw(5)) / 4;  // some are equal
    const double threshold = static_cast<double>(draw(4)) * 0.21, least = 0.3;
    std::vector<std::int64_t> right;
    for (Index b = 0; b < 2; ++b) {
      for (Index c = 0; c < 3; ++c) {
        std::vector<Index> kept;
        std::vector<bool> seen(static_cast<std::size_t>(n), false);
        while (static_cast<Index>(kept.size()) < most) {
          Index best = -1;  // the first of equal scores
          for (Index i = 0; i < n; ++i) {
            if (seen[static_cast<std::size_t>(i)] || static_cast<double>(scores.at({b, c, i})) <= least) continue;
            if (best < 0 || scores.at({b, c, i}) > scores.at({b, c, best})) best = i;
          }
          if (best < 0) break;
          seen[static_cast<std::size_t>(best)] = true;
          bool overlaps = false;
          for (const Index i : kept) {
            overlaps = overlaps || counted_overlap(corners.data() + (b * n + i) * 4,
                                                   corners.data() + (b * n + best) * 4) > threshold;
          }
          if (overlaps) continue;
          kept.push_back(best);
          right.insert(right.end(), {b, c, best});
        }
      }
    }
    const onnx::Integers y{{static_cast<Index>(right.size() / 3), 3}, right};
    SCOPED_TRACE(round);
    EXPECT_EQ(
        whole_of("NonMaxSuppression", {corners, scores, number(most), scalar_of(threshold), scalar_of(least)}, {}, 11),
        y);
    EXPECT_EQ(whole_of("NonMaxSuppression", {centers, scores, number(most), scalar_of(threshold), scalar_of(least)},
                       {{"center_point_box", Index{1}}}, 11),
              y);
  }
  const Tensor box({1, 1, 4}, {0, 0, 1, 1}), score({1, 1, 1}, {Real(-3)});
  EXPECT_EQ(whole_of("NonMaxSuppression", {box, score, number(9)}, {}, 11).elements,
            (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_TRUE(whole_of("NonMaxSuppression", {box, score}, {}, 11).elements.empty());  // at most 0 by default
}

/// The image at a point, interpolated; 0 more than one pixel outside. `largest`: of the four weighted pixels.
double point_of(const Tensor& x, Index b, Index c, double row, double column, bool largest) {
  const Index height = x.shape()[2], width = x.shape()[3];
  if (row < -1 || row > static_cast<double>(height) || column < -1 || column > static_cast<double>(width)) return 0;
  row = std::clamp(row, 0.0, static_cast<double>(height - 1));
  column = std::clamp(column, 0.0, static_cast<double>(width - 1));
  double sum = 0, most = 0;
  int count = 0;
  for (Index i = 0; i < height; ++i) {
    for (Index j = 0; j < width; ++j) {
      const double down = 1 - std::abs(row - static_cast<double>(i)),
                   across = 1 - std::abs(column - static_cast<double>(j));
      if (down <= 0 || across <= 0) continue;
      const double part = down * across * static_cast<double>(x.at({b, c, i, j}));
      sum += part;
      most = count++ == 0 ? part : std::max(most, part);
    }
  }
  return largest ? std::max(most, count < 4 ? 0 : most) : sum;  // a pixel without weight is 0
}

TEST(OnnxBoxes, RoiAlignAveragesPointsOfBins) {
  const Tensor x = normal({2, 2, 7, 6}, 1);
  const Tensor rois({4, 4}, {0, 0, 8, 10, 2, 3, Real(9.5), Real(7.25), -3, -2, 4, 6, 5, 5, 5, 5});
  const List batches{1, 0, 1, 0};
  for (const bool half : {false, true}) {
    for (const Index ratio : {0, 2}) {
      for (const bool largest : {false, true}) {
        Tensor right({4, 2, 3, 2});
        for (Index r = 0; r < 4; ++r) {
          const auto edge = [&](Index j) { return static_cast<double>(rois.at({r, j})) * 0.75 - (half ? 0.5 : 0); };
          const double height = half ? edge(3) - edge(1) : std::max(1.0, edge(3) - edge(1)),
                       width = half ? edge(2) - edge(0) : std::max(1.0, edge(2) - edge(0));
          const Index down = ratio > 0 ? ratio : static_cast<Index>(std::ceil(height / 3)),
                      across = ratio > 0 ? ratio : static_cast<Index>(std::ceil(width / 2));
          for (Index c = 0; c < 2; ++c) {
            for (Index i = 0; i < 3; ++i) {
              for (Index j = 0; j < 2; ++j) {
                double sum = 0, most = -std::numeric_limits<double>::infinity();
                for (Index m = 0; m < down; ++m) {
                  for (Index n = 0; n < across; ++n) {
                    const double row = edge(1) + height / 3 *
                                                     (static_cast<double>(i) +
                                                      (static_cast<double>(m) + 0.5) / static_cast<double>(down)),
                                 column = edge(0) + width / 2 *
                                                        (static_cast<double>(j) +
                                                         (static_cast<double>(n) + 0.5) / static_cast<double>(across));
                    const double point = point_of(x, batches[static_cast<std::size_t>(r)], c, row, column, largest);
                    sum += point;
                    most = std::max(most, point);
                  }
                }
                const auto points = static_cast<double>(std::max(Index{1}, down * across));
                right.at({r, c, i, j}) = static_cast<Real>(!largest ? sum / points : down * across > 0 ? most : 0);
              }
            }
          }
        }
        SCOPED_TRACE(::testing::Message() << half << ratio << largest);
        const std::vector<Given> attributes{{"output_height", Index{3}},
                                            {"output_width", Index{2}},
                                            {"sampling_ratio", ratio},
                                            {"spatial_scale", 0.75},
                                            {"mode", largest ? "max" : "avg"}};
        expect_close(reals_of("RoiAlign", {x, rois, list(batches)}, attributes, half ? 16 : 10), right);
      }
    }
  }
}

TEST(OnnxBoxes, RefuseWhatDoesNotFit) {
  const auto error = [](const char* op, const std::vector<testing::AnyInput>& inputs,
                        const std::vector<Given>& attributes = {}) {
    return error_of<Error>([&] { reals_of(op, inputs, attributes, 16); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << " lacks " << part;
  };
  const Tensor x = normal({1, 1, 3, 3}, 1), boxes = normal({1, 2, 4}, 1), scores = normal({1, 1, 2}, 2);
  has(error("RoiAlign", {x, normal({2, 5}, 1), list({0, 0})}), "regions (2, 5) for 2 batch indices");
  has(error("RoiAlign", {x, normal({1, 4}, 1), list({1})}), "batch index 1 of 1");
  has(error("RoiAlign", {x, normal({1, 4}, 1), list({0})}, {{"output_width", Index{0}}}), "an output of 1 x 0");
  has(error("RoiAlign", {x, normal({1, 4}, 1), list({0})}, {{"mode", "sum"}}), "mode is 'sum'");
  for (const Real far : {std::numeric_limits<Real>::infinity(), std::numeric_limits<Real>::quiet_NaN(), Real(1e9)}) {
    has(error("RoiAlign", {x, Tensor({1, 4}, {0, 0, far, far}), list({0})}), "at most 4096 are supported");
  }
  has(error("NonMaxSuppression", {boxes, normal({1, 1, 3}, 1)}), "boxes (1, 2, 4) and scores (1, 1, 3)");
  has(error("NonMaxSuppression", {boxes, scores, number(1), scalar_of(1.5)}), "iou_threshold is 1.5");
  has(error("NonMaxSuppression", {boxes, scores}, {{"center_point_box", Index{2}}}), "center_point_box is 2");
}

TEST(OnnxBoxes, TakeAnyNumber) {
  constexpr Real nan = std::numeric_limits<Real>::quiet_NaN(), infinite = std::numeric_limits<Real>::infinity();
  const Tensor boxes({1, 3, 4}, {nan, 0, 1, 1, 0, 0, infinite, 1, -infinite, nan, infinite, 0}),
      scores({1, 1, 3}, {nan, infinite, 1});
  const onnx::Integers y =
      whole_of("NonMaxSuppression", {boxes, scores, number(std::numeric_limits<Index>::max())}, {}, 11);
  EXPECT_EQ(y.elements, (std::vector<std::int64_t>{0, 0, 1, 0, 0, 2}));  // no box without a score
}

}  // namespace
}  // namespace cornu
