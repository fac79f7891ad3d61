#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/augmentation/random_rotation.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/augmentation/random_zoom.h"
#include "cornu/layers/check_layer.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

// The image augmentation layers. The transforms themselves are tested with the op affine_transform.

namespace cornu {
namespace {

using testing::error_of;
using testing::rounding;
using testing::run;

/// Pixel (i, j) of image b in its first channel.
Real pixel(const Tensor& images, Index i, Index j, Index b = 0) { return images.at({b, i, j, 0}); }

/// A batch of equal images with one channel, whose pixels are f(i, j).
template <class F>
Tensor images(Index batch, Index rows, Index columns, F f) {
  Tensor result({batch, rows, columns, 1});
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) result.at({b, i, j, 0}) = f(i, j);
    }
  }
  return result;
}

/// Every pixel is different: 10 i + j.
Tensor numbered(Index batch, Index rows, Index columns) {
  return images(batch, rows, columns, [](Index i, Index j) { return static_cast<Real>(10 * i + j); });
}

Tensor trained(const AnyLayer& layer, const Tensor& x, std::uint64_t seed = 1) {
  Tape tape(Mode::training, seed);
  return Tensor(layer.forward(tape.input(x)).value());
}

std::vector<AnyLayer> random_layers() {
  return {RandomFlip{}, RandomTranslation{0.3, 0.2}, RandomRotation{0.1},
          RandomZoom{.height_factor = 0.3, .width_factor = {{-0.2, 0.4}}, .fill_mode = FillMode::constant},
          RandomErasing{.factor = {1, 1}, .value_range = {0, 1}}};
}

TEST(RandomImages, AreUnchangedInInference) {
  const Tensor x = testing::normal({3, 5, 4, 2});
  for (const AnyLayer& layer : random_layers()) {
    Tape tape(Mode::inference);
    EXPECT_EQ(layer.forward(tape.input(x)).value().data(), x.data()) << layer.type();
  }
}

TEST(RandomImages, DependOnlyOnTheImageAndTheTapesSeed) {
  const Tensor x = numbered(8, 9, 7);
  for (const AnyLayer& layer : random_layers()) {
    const Tensor y = trained(layer, x, 1);
    EXPECT_EQ(y.shape(), x.shape());
    EXPECT_EQ(trained(layer, x, 1), y) << layer.type();
    EXPECT_NE(trained(layer, x, 2), y) << layer.type();
    Index equal = 0;
    for (Index b = 1; b < 8; ++b) equal += std::equal(y.begin(), y.begin() + 63, y.begin() + 63 * b) ? 1 : 0;
    EXPECT_LT(equal, 5) << layer.type() << " treats its images alike";
  }
}

TEST(RandomImages, PassCheckLayer) {
  for (const Shape& input : {Shape{1, 1, 1}, Shape{4, 3, 2}, Shape{3, 5, 1}}) {
    for (const CheckReport& report : {check_layer(RandomFlip{}, input), check_layer(RandomTranslation{0.3, 0.2}, input),
                                      check_layer(RandomRotation{0.1, FillMode::nearest}, input),
                                      check_layer(RandomZoom{0.3}, input), check_layer(RandomErasing{}, input)}) {
      EXPECT_TRUE(report.passed()) << to_string(report);
    }
  }
}

TEST(RandomImages, AcceptAnEmptyBatch) {
  for (const AnyLayer& layer : random_layers())
    EXPECT_EQ(trained(layer, Tensor({0, 3, 3, 1})).shape(), (Shape{0, 3, 3, 1}));
}

TEST(RandomFlip, FlipsWithProbabilityOneHalf) {
  constexpr Index n = 4000;
  const Tensor x = numbered(n, 2, 3);
  // The upper left pixel shows how an image was flipped.
  const auto counts = [&](const RandomFlip& layer) {
    std::map<Real, Index> result;
    const Tensor y = run(layer, x, Mode::training, 3);
    for (Index b = 0; b < n; ++b) ++result[pixel(y, 0, 0, b)];
    return result;
  };
  const auto near = [](Index count, double share) {
    EXPECT_NEAR(static_cast<double>(count) / n, share, 4 * std::sqrt(share * (1 - share) / n));
  };
  const auto both = counts(RandomFlip{}), across = counts(RandomFlip{RandomFlip::horizontal}),
             down = counts(RandomFlip{RandomFlip::vertical});
  ASSERT_EQ(both.size(), 4u);
  for (const Real corner : {0, 2, 10, 12}) near(both.at(corner), 0.25);
  ASSERT_EQ(across.size(), 2u);
  near(across.at(2), 0.5);
  ASSERT_EQ(down.size(), 2u);
  near(down.at(10), 0.5);
}

TEST(RandomFlip, MirrorsExactly) {
  const Tensor x = testing::normal({20, 5, 4, 3}), y = run(RandomFlip{RandomFlip::horizontal}, x, Mode::training);
  for (Index b = 0; b < 20; ++b) {
    const bool flipped = pixel(y, 0, 0, b) != pixel(x, 0, 0, b);
    for (Index i = 0; i < 5; ++i) {
      for (Index j = 0; j < 4; ++j) {
        for (Index c = 0; c < 3; ++c) EXPECT_EQ(y.at({b, i, j, c}), x.at({b, i, flipped ? 3 - j : j, c}));
      }
    }
  }
}

TEST(RandomTranslation, ShiftsDownAndRightByFractionsOfTheImage) {
  const Tensor x = numbered(1, 4, 5);
  const RandomTranslation layer{.height_factor = {0.25, 0.25}, .width_factor = {-0.4, -0.4}};  // 1 down, 2 left
  const Tensor reflected = run(layer, x, Mode::training);
  const Tensor expected({1, 4, 5, 1}, {2,  3,  4,  4,  3,   // mirrored at the edge
                                       2,  3,  4,  4,  3,   //
                                       12, 13, 14, 14, 13,  //
                                       22, 23, 24, 24, 23});
  for (Index i = 0; i < 20; ++i) EXPECT_NEAR(reflected[i], expected[i], 30 * rounding);

  RandomTranslation constant = layer;
  constant.fill_mode = FillMode::constant;
  constant.fill_value = -7;
  const Tensor filled = run(constant, x, Mode::training);
  EXPECT_NEAR(pixel(filled, 0, 2), -7, 30 * rounding);
  EXPECT_NEAR(pixel(filled, 1, 3), -7, 30 * rounding);
  EXPECT_NEAR(pixel(filled, 3, 2), 24, 30 * rounding);
}

TEST(RandomTranslation, DrawsFromTheWholeRange) {
  const Tensor x = images(2000, 1, 10, [](Index, Index j) { return static_cast<Real>(j); });
  const Tensor y = run(RandomTranslation{.height_factor = 0, .width_factor = {-0.1, 0.3}}, x, Mode::training);
  double least = 10, most = -10, sum = 0;
  for (Index b = 0; b < 2000; ++b) {
    const double moved = 5 - static_cast<double>(pixel(y, 0, 5, b));
    least = std::min(least, moved);
    most = std::max(most, moved);
    sum += moved;
  }
  EXPECT_NEAR(least, -1, 0.02);
  EXPECT_NEAR(most, 3, 0.02);
  EXPECT_NEAR(sum / 2000, 1, 4 * 4 / std::sqrt(12 * 2000));
}

TEST(RandomRotation, RotatesCounterClockwiseByFractionsOfATurn) {
  const Tensor x = numbered(1, 4, 4);
  const Tensor quarter = run(RandomRotation{{0.25, 0.25}}, x, Mode::training),
               half = run(RandomRotation{{-0.5, -0.5}}, x, Mode::training);
  for (Index i = 0; i < 4; ++i) {
    for (Index j = 0; j < 4; ++j) {
      EXPECT_NEAR(pixel(quarter, i, j), pixel(x, j, 3 - i), 100 * rounding);
      EXPECT_NEAR(pixel(half, i, j), pixel(x, 3 - i, 3 - j), 100 * rounding);
    }
  }
}

TEST(RandomZoom, ZoomsOutForPositiveAndInForNegativeFactors) {
  const Tensor x = images(1, 9, 9, [](Index i, Index j) { return static_cast<Real>(100 * (i - 4) + j - 4); });
  const Tensor in = run(RandomZoom{{-0.5, -0.5}}, x, Mode::training);
  const Tensor out = run(RandomZoom{.height_factor = 0, .width_factor = {{0.5, 0.5}}}, x, Mode::training);
  for (Index i = 0; i < 9; ++i) {
    for (Index j = 0; j < 9; ++j) {
      EXPECT_NEAR(pixel(in, i, j), pixel(x, i, j) / 2, 1000 * rounding);  // the image is linear
    }
    for (Index j = 2; j < 7; ++j) {
      EXPECT_NEAR(pixel(out, i, j), static_cast<double>(100 * (i - 4)) + 1.5 * static_cast<double>(j - 4),
                  1000 * rounding);
    }
  }
}

TEST(RandomZoom, KeepsTheAspectRatioByDefault) {
  const Tensor x = images(50, 9, 9, [](Index i, Index j) { return static_cast<Real>(100 * (i - 4) + j - 4); });
  const Tensor y = run(RandomZoom{{-0.9, -0.1}}, x, Mode::training),
               free = run(RandomZoom{.height_factor = {-0.9, -0.1}, .width_factor = {{-0.9, -0.1}}}, x, Mode::training);
  Index stretched = 0;
  for (Index b = 0; b < 50; ++b) {
    EXPECT_NEAR(pixel(y, 5, 4, b), 100 * pixel(y, 4, 5, b), 1000 * rounding);
    stretched += std::abs(pixel(free, 5, 4, b) - 100 * pixel(free, 4, 5, b)) > 1 ? 1 : 0;
  }
  EXPECT_GT(stretched, 40);
}

/// The erased part of an image of ones, filled with zeros: the rectangle's corners and number of pixels.
struct Hole {
  Index top = 1 << 20, bottom = -1, left = 1 << 20, right = -1, pixels = 0;

  Hole(const Tensor& y, Index b) {
    for (Index i = 0; i < y.shape()[1]; ++i) {
      for (Index j = 0; j < y.shape()[2]; ++j) {
        if (y.at({b, i, j, 0}) != 0) continue;
        top = std::min(top, i), bottom = std::max(bottom, i);
        left = std::min(left, j), right = std::max(right, j);
        ++pixels;
      }
    }
  }
};

TEST(RandomErasing, ErasesARectangleOfTheGivenSize) {
  const Tensor x = Tensor::full({500, 40, 60, 2}, 1);
  const Tensor y = run(RandomErasing{.factor = {1, 1}, .scale = {0.04, 0.25}, .fill_value = 0}, x, Mode::training);
  double area = 0;
  for (Index b = 0; b < 500; ++b) {
    const Hole hole(y, b);
    const Index rows = hole.bottom - hole.top + 1, columns = hole.right - hole.left + 1;
    ASSERT_EQ(hole.pixels, rows * columns);
    EXPECT_GE(rows, 8 - 1);
    EXPECT_LE(rows, 20 + 1);
    EXPECT_GE(columns, 12 - 1);
    EXPECT_LE(columns, 30 + 1);
    area += static_cast<double>(hole.pixels) / (40 * 60);
    EXPECT_EQ(y.at({b, hole.top, hole.left, 1}), 0) << "in every channel";
  }
  // The mean of sqrt(u), u uniform in [0.04, 0.25], is 2 / 3 (0.125 - 0.008) / 0.21; width and height are independent.
  EXPECT_NEAR(area / 500, 0.1380, 0.01);
}

TEST(RandomErasing, ErasesWithTheGivenProbability) {
  const Tensor x = Tensor::full({4000, 4, 4, 1}, 1);
  const auto erased = [&](const RandomFactor& factor) {
    const Tensor y = run(RandomErasing{.factor = factor, .scale = {0.9, 1}, .fill_value = 0}, x, Mode::training);
    double count = 0;
    for (Index b = 0; b < 4000; ++b) count += Hole(y, b).pixels > 0 ? 1 : 0;
    return count / 4000;
  };
  EXPECT_EQ(erased({1, 1}), 1);
  EXPECT_EQ(erased(0), 0);
  EXPECT_NEAR(erased({0.5, 0.9}), 0.7, 0.03);
  EXPECT_NEAR(erased(0.5), 0.25, 0.03) << "a single value v means [0, v]";
}

TEST(RandomErasing, FillsWithNoiseByDefault) {
  const Tensor x = Tensor::full({20, 10, 10, 3}, 7);
  const Tensor y = run(RandomErasing{.factor = {1, 1}, .scale = {1, 1}, .value_range = {-1, 2}}, x, Mode::training);
  double sum = 0;
  for (const Real value : y) {
    EXPECT_TRUE(value >= -1 && value <= 2) << value;
    sum += value == -1 || value == 2 ? 1 : 0;
  }
  // P(z < -0.5) + P(z > 1) = 0.3085 + 0.1587.
  EXPECT_NEAR(sum / 6000, 0.467, 0.03);
}

TEST(RandomImages, RejectInvalidOptionsAndShapes) {
  Rng rng(1);
  const Shape image{4, 4, 1};
  EXPECT_EQ(error_of<ValueError>([&] {
              RandomRotation{{0.2, 0.1}}.build(image, rng);
            }),
            "RandomRotation: factor is from 0.2 to 0.1; low <= high, both from -1 to 1, is required");
  EXPECT_EQ(error_of<ValueError>([&] {
              RandomTranslation{0, 1.5}.build(image, rng);
            }),
            "RandomTranslation: width_factor is from -1.5 to 1.5; low <= high, both from -1 to 1, is required");
  EXPECT_EQ(error_of<ValueError>([&] {
              RandomZoom{{-2, 0}}.build(image, rng);
            }),
            "RandomZoom: height_factor is from -2 to 0; low <= high, both from -1 to 10, is required");
  EXPECT_EQ(error_of<ValueError>([&] { RandomErasing{.scale = 1.5}.build(image, rng); }),
            "RandomErasing: scale is from 0 to 1.5; low <= high, both from 0 to 1, is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              RandomFlip{}.build({28, 28}, rng);
            }),
            "RandomFlip: a sample of shape (28, 28); (height, width, channels) is required");
  for (const AnyLayer& layer : random_layers()) {
    EXPECT_EQ(error_of<ShapeError>([&] {
                trained(layer, Tensor({2, 28, 28}));
              }),
              std::string(layer.type()) + ": a sample of shape (28, 28); (height, width, channels) is required");
  }
}

}  // namespace
}  // namespace cornu
