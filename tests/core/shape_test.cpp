#include "cornu/core/shape.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;

constexpr Index huge = std::numeric_limits<Index>::max();

TEST(Shape, OfAScalarHasNoAxesAndOneElement) {
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_FALSE(Shape{}.empty());
  EXPECT_EQ(to_string(Shape{}), "()");
}

TEST(Shape, HasRankSizeAndDimensions) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.size(), 24);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[2], 4);
  EXPECT_EQ(std::vector<Index>(shape.dimensions().begin(), shape.dimensions().end()), (std::vector<Index>{2, 3, 4}));
}

TEST(Shape, CountsNegativeAxesFromTheEnd) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[-3], 2);
  EXPECT_EQ(shape.normalized(-1), 2);
  EXPECT_EQ(shape.normalized(1), 1);
}

TEST(Shape, PrintsAsInPython) {
  EXPECT_EQ(to_string(Shape{10}), "(10,)");
  EXPECT_EQ(to_string(Shape{32, 784}), "(32, 784)");
}

TEST(Shape, WithAZeroDimensionIsEmpty) {
  EXPECT_EQ((Shape{3, 0, 2}.size()), 0);
  EXPECT_TRUE((Shape{0}.empty()));
}

TEST(Shape, HasAtMostEightDimensions) {
  EXPECT_EQ((Shape{1, 2, 3, 4, 5, 6, 7, 8}.size()), 40320);
  expect_error<ShapeError>([] { Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}; },
                           "shape (1, 2, 3, 4, 5, 6, 7, 8, 9) has 9 dimensions; at most 8 are possible");
}

TEST(Shape, RejectsNegativeDimensions) {
  expect_error<ShapeError>([] { Shape{3, -1}; }, "shape (3, -1) has a negative dimension");
}

TEST(Shape, RejectsMoreElementsThanAnyMemoryHolds) {
  EXPECT_EQ(Shape{Shape::max_size}.size(), Shape::max_size);
  EXPECT_THROW(Shape{Shape::max_size + 1}, ShapeError);
  expect_error<ShapeError>([] { Shape{huge, 2}; }, "shape (9223372036854775807, 2) has more than 2^45 elements");
  EXPECT_THROW((Shape{Index{1} << 32, Index{1} << 32}), ShapeError);
  EXPECT_THROW((Shape{Index{1} << 23, Index{1} << 23}), ShapeError);
  EXPECT_EQ((Shape{Index{1} << 23, Index{1} << 22}.size()), Shape::max_size);
}

TEST(Shape, RejectsAnOverflowNextToAZeroDimension) { EXPECT_THROW((Shape{0, huge, huge}), ShapeError); }

TEST(Shape, RejectsAxesOutOfRange) {
  expect_error<ShapeError>([] { (void)Shape{2, 3}[2]; }, "axis 2 is out of range for shape (2, 3) of rank 2");
  expect_error<ShapeError>([] { (void)Shape{2, 3}[-3]; }, "axis -3 is out of range for shape (2, 3) of rank 2");
  EXPECT_THROW((void)Shape{}[0], ShapeError);
}

TEST(Shape, ComparesByRankAndDimensions) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2, 0}), (Shape{2}));
  EXPECT_NE((Shape{}), (Shape{1}));
}

TEST(Shape, ReplacesRemovesAndInsertsDimensions) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.with(1, 7), (Shape{2, 7, 4}));
  EXPECT_EQ(shape.with(-1, 7), (Shape{2, 3, 7}));
  EXPECT_EQ(shape.without(0), (Shape{3, 4}));
  EXPECT_EQ(shape.without(-1), (Shape{2, 3}));
  EXPECT_EQ(shape.inserted(0, 9), (Shape{9, 2, 3, 4}));
  EXPECT_EQ(shape.inserted(3, 9), (Shape{2, 3, 4, 9}));
  EXPECT_EQ(shape.batched(32), (Shape{32, 2, 3, 4}));
  EXPECT_EQ(Shape{5}.without(0), Shape{});
}

TEST(Shape, RejectsInvalidInsertions) {
  expect_error<ShapeError>(
      [] {
        (void)Shape({1, 2, 3, 4, 5, 6, 7, 8}).inserted(0, 1);
      },
      "shape (1, 2, 3, 4, 5, 6, 7, 8) has 8 dimensions, the maximum; no dimension can be added");
  expect_error<ShapeError>(
      [] {
        (void)Shape({2, 3}).inserted(3, 1);
      },
      "shape (2, 3): a dimension cannot be inserted at axis 3");
  EXPECT_THROW((void)Shape({2, 3}).inserted(-1, 1), ShapeError);
}

TEST(Shape, ReturnsARangeOfItsDimensions) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.sub(1), (Shape{3, 4}));
  EXPECT_EQ(shape.sub(0, 2), (Shape{2, 3}));
  EXPECT_EQ(shape.sub(3), Shape{});
  expect_error<ShapeError>([&] { (void)shape.sub(2, 1); }, "shape (2, 3, 4) has no dimensions [2, 1)");
  EXPECT_THROW((void)shape.sub(0, 4), ShapeError);
}

TEST(Broadcast, RepeatsAxesOfSizeOneAndMissingAxes) {
  EXPECT_EQ(broadcast({2, 3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast({2, 3}, {3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast({2, 1}, {1, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast({}, {4, 5}), (Shape{4, 5}));
  EXPECT_EQ(broadcast({8, 1, 6, 1}, {7, 1, 5}), (Shape{8, 7, 6, 5}));
}

TEST(Broadcast, AnAxisOfSizeOneShrinksToZero) {
  EXPECT_EQ(broadcast({1, 3}, {0, 3}), (Shape{0, 3}));
  EXPECT_THROW((void)broadcast({2, 3}, {0, 3}), ShapeError);
}

TEST(Broadcast, NamesBothShapesAndTheAxisThatDiffers) {
  expect_error<ShapeError>(
      [] {
        (void)broadcast({2, 3}, {2, 4}, "add");
      },
      "add: shapes (2, 3) and (2, 4) do not broadcast: at axis 1 from the end, 3 and 4 differ and "
      "neither is 1");
}

template <class S>
concept ShowsDimensions = requires(S&& shape) {
  std::forward<S>(shape).dimensions();
};

TEST(Shape, HasNoDimensionsSpanOfATemporary) { static_assert(ShowsDimensions<Shape&> && !ShowsDimensions<Shape>); }

}  // namespace
}  // namespace cornu
