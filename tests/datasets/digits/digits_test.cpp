#include "cornu/datasets/digits/digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using datasets::digits;
using testing::error_of;

constexpr Index image_side = 28;

bool same_samples(const ImageDataset& a, const ImageDataset& b, Index count) {
  return std::ranges::equal(a.labels().first(static_cast<std::size_t>(count)),
                            b.labels().first(static_cast<std::size_t>(count))) &&
         std::ranges::equal(a.pixels().first(static_cast<std::size_t>(count * image_side * image_side)),
                            b.pixels().first(static_cast<std::size_t>(count * image_side * image_side)));
}

/// Measurements of one image, in pixels. Positions are measured from the left and upper edge.
struct Measures {
  double ink = 0, x = 0, y = 0;
  Index left = image_side, right = -1, top = image_side, bottom = -1;
  int brightest = 0;
};

Measures measure(std::span<const std::uint8_t> image) {
  Measures m;
  for (Index row = 0; row < image_side; ++row) {
    for (Index col = 0; col < image_side; ++col) {
      const int pixel = image[static_cast<std::size_t>(row * image_side + col)];
      if (pixel == 0) continue;
      m.ink += pixel / 255.0;
      m.x += pixel / 255.0 * (static_cast<double>(col) + 0.5);
      m.y += pixel / 255.0 * (static_cast<double>(row) + 0.5);
      m.left = std::min(m.left, col);
      m.right = std::max(m.right, col);
      m.top = std::min(m.top, row);
      m.bottom = std::max(m.bottom, row);
      m.brightest = std::max(m.brightest, pixel);
    }
  }
  m.x /= m.ink;
  m.y /= m.ink;
  return m;
}

TEST(Digits, HaveTheFormatOfMnist) {
  const auto [train, test] = digits({.samples = 60});
  EXPECT_EQ(train.size(), 60);
  EXPECT_EQ(test.size(), 10);
  EXPECT_EQ(train.feature_shape(), (Shape{28, 28}));
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(test.class_name(7), "7");
}

TEST(Digits, DependOnTheSeed) {
  const auto first = digits({.samples = 60, .seed = 5});
  const auto again = digits({.samples = 60, .seed = 5});
  const auto other = digits({.samples = 60, .seed = 6});
  EXPECT_TRUE(same_samples(first.train, again.train, 60));
  EXPECT_TRUE(same_samples(first.test, again.test, 10));
  EXPECT_FALSE(std::ranges::equal(first.train.pixels(), other.train.pixels()));
  EXPECT_FALSE(std::ranges::equal(first.train.labels(), other.train.labels()));
  EXPECT_FALSE(std::ranges::equal(first.test.pixels(), other.test.pixels()));
}

TEST(Digits, ASmallerSetIsTheBeginningOfALargerOne) {
  const auto few = digits({.samples = 37, .seed = 1});
  const auto more = digits({.samples = 120, .seed = 1});
  EXPECT_TRUE(same_samples(few.train, more.train, 37));
  EXPECT_TRUE(same_samples(few.test, more.test, few.test.size()));
}

TEST(Digits, AcceptAnySeedAndNumberOfSamples) {
  const auto [train, test] = digits({.samples = 1, .seed = std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(train.size(), 1);
  EXPECT_EQ(test.size(), 1);
}

TEST(Digits, TestSamplesAreNotInTheTrainingSet) {
  const auto [train, test] = digits({.samples = 300});
  for (Index i = 0; i < test.size(); ++i) {
    for (Index j = 0; j < train.size(); ++j) {
      ASSERT_FALSE(std::ranges::equal(test.image(i), train.image(j))) << "test " << i << " is train " << j;
    }
  }
}

TEST(Digits, EveryTenSamplesHaveAllClassesInRandomOrder) {
  const auto [train, test] = digits({.samples = 600});
  for (const ImageDataset* data : {&train, &test}) {
    std::vector<std::vector<int>> orders;
    for (Index first = 0; first < data->size(); first += 10) {
      std::vector<int> order;
      for (Index i = first; i < first + 10; ++i) order.push_back(static_cast<int>(data->label(i)));
      orders.push_back(order);
      std::ranges::sort(order);
      EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    }
    std::ranges::sort(orders);
    EXPECT_EQ(std::ranges::adjacent_find(orders), orders.end());
  }
}

TEST(Digits, AreTwentyPixelsLargeAndCentredByMass) {
  const auto [train, test] = digits({.samples = 3000});
  double longest = 0;
  for (Index i = 0; i < train.size(); ++i) {
    SCOPED_TRACE(i);
    const Measures m = measure(train.image(i));
    const Index width = m.right - m.left + 1, height = m.bottom - m.top + 1;
    EXPECT_LE(width, 20);
    EXPECT_LE(height, 20);
    EXPECT_GE(std::max(width, height), 16);
    longest += static_cast<double>(std::max(width, height)) / static_cast<double>(train.size());
    // Half a pixel, because the image is moved by whole pixels, and a little for the noise added afterwards.
    EXPECT_NEAR(m.x, 14, 0.65);
    EXPECT_NEAR(m.y, 14, 0.65);
  }
  EXPECT_GT(longest, 19.5);
}

TEST(Digits, HavePlausiblePixelStatistics) {
  const auto [train, test] = digits({.samples = 3000});
  double mean = 0;
  std::array<Index, 256> greys{};
  for (Index i = 0; i < train.size(); ++i) {
    SCOPED_TRACE(i);
    const Measures m = measure(train.image(i));
    EXPECT_GT(m.ink, 8);
    EXPECT_LT(m.ink, 320);
    EXPECT_GT(m.brightest, 128);
    mean += m.ink / static_cast<double>(image_side * image_side * train.size());
    for (const std::uint8_t pixel : train.image(i)) ++greys[pixel];
  }
  EXPECT_NEAR(mean, 0.13, 0.03);  // MNIST's is 0.1307
  EXPECT_TRUE(std::ranges::all_of(greys, [](Index count) { return count > 0; }));
}

TEST(Digits, VaryWithinAClass) {
  const auto [train, test] = digits({.samples = 1000});
  for (int digit = 0; digit < 10; ++digit) {
    std::vector<std::vector<std::uint8_t>> images;
    for (Index i = 0; i < train.size(); ++i) {
      if (train.label(i) == digit) images.emplace_back(train.image(i).begin(), train.image(i).end());
    }
    std::ranges::sort(images);
    EXPECT_EQ(std::ranges::adjacent_find(images), images.end()) << digit;
  }
}

// The simplest classifier, which picks the class with the nearest mean image, gets two in three right. Chance is one in
// ten.
TEST(Digits, CanBeClassifiedByTheNearestMean) {
  const auto [train, test] = digits({.samples = 3000});
  std::array<std::array<double, image_side * image_side>, 10> means{};
  for (Index i = 0; i < train.size(); ++i) {
    auto& mean = means[static_cast<std::size_t>(train.label(i))];
    for (std::size_t p = 0; p < mean.size(); ++p)
      mean[p] += train.image(i)[p] / (0.1 * static_cast<double>(train.size()));
  }
  std::array<Index, 10> right{};
  for (Index i = 0; i < test.size(); ++i) {
    std::array<double, 10> distances{};
    for (std::size_t digit = 0; digit < 10; ++digit) {
      for (std::size_t p = 0; p < means[digit].size(); ++p) {
        const double difference = test.image(i)[p] - means[digit][p];
        distances[digit] += difference * difference;
      }
    }
    const auto nearest = std::ranges::min_element(distances) - distances.begin();
    if (nearest == test.label(i)) ++right[static_cast<std::size_t>(nearest)];
  }
  const Index all = std::accumulate(right.begin(), right.end(), Index{0});
  EXPECT_GT(static_cast<double>(all) / static_cast<double>(test.size()), 0.6);
  for (std::size_t digit = 0; digit < 10; ++digit) {
    EXPECT_GT(static_cast<double>(right[digit]) / (0.1 * static_cast<double>(test.size())), 0.3) << digit;
  }
}

TEST(Digits, RejectAnInvalidNumberOfSamples) {
  EXPECT_EQ(error_of<ValueError>([] { digits({.samples = 0}); }),
            "digits: samples is 0; it must be at least 1 and at most 100000000");
  EXPECT_EQ(error_of<ValueError>([] { digits({.samples = -5}); }),
            "digits: samples is -5; it must be at least 1 and at most 100000000");
  EXPECT_EQ(error_of<ValueError>([] { digits({.samples = std::numeric_limits<Index>::max()}); }),
            "digits: samples is 9223372036854775807; it must be at least 1 and at most 100000000");
}

}  // namespace
}  // namespace cornu
