#include "cornu/layers/reshaping/reshape.h"

#include <gtest/gtest.h>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_passes;
using testing::run;

TEST(Reshape, KeepsTheElementsAndTheBatch) {
  const Tensor x = Tensor::matrix({{1, 2, 3, 4}, {5, 6, 7, 8}});
  EXPECT_EQ(run(Reshape{2, 2}, x), Tensor(Shape{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(run(Reshape{2, -1}, x), Tensor(Shape{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(run(Reshape{}, Tensor::matrix({{1}, {2}})), Tensor::vector({1, 2}));
  EXPECT_EQ(run(Reshape{1}, Tensor::vector({1, 2})), Tensor::matrix({{1}, {2}}));
}

TEST(Reshape, ComputesTheDimensionGivenAsMinusOne) {
  Rng rng(1);
  const auto shape_from = [&](Reshape layer, const Shape& input) { return layer.build(input, rng); };
  EXPECT_EQ(shape_from(Reshape{7, 7, -1}, {784}), (Shape{7, 7, 16}));
  EXPECT_EQ(shape_from(Reshape{-1, 7}, {28, 28}), (Shape{112, 7}));
  EXPECT_EQ(shape_from(Reshape{-1}, {28, 28}), (Shape{784}));
  EXPECT_EQ(shape_from(Reshape{-1}, {}), (Shape{1}));
  EXPECT_EQ(shape_from(Reshape{2, -1}, {0}), (Shape{2, 0}));
  EXPECT_EQ(shape_from(Reshape(Shape{4, 1}), {2, 2}), (Shape{4, 1}));
  EXPECT_EQ(shape_from(Reshape{0, 5}, {3, 0}), (Shape{0, 5}));
}

TEST(Reshape, AcceptsAnEmptyBatch) { EXPECT_EQ((run(Reshape{2, -1}, Tensor(Shape{0, 6})).shape()), (Shape{0, 2, 3})); }

TEST(Reshape, PassesCheckLayer) {
  expect_passes(Reshape{6}, {2, 3});
  expect_passes(Reshape{3, 2}, {2, 3});
  expect_passes(Reshape{1, -1, 1, 3}, {2, 3});
  expect_passes(Reshape{}, {1});
  expect_passes(Reshape{-1}, {});
}

TEST(Reshape, RejectsSamplesThatDoNotFit) {
  Rng rng(1);
  const auto text_of_build = [&](Reshape layer, const Shape& input) {
    return error_of<ShapeError>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build(Reshape{7, 7, 10}, {28, 28}),
            "Reshape: a sample of shape (28, 28) has 784 elements, but (7, 7, 10) has 490");
  EXPECT_EQ(text_of_build(Reshape{5, -1}, {28, 28}),
            "Reshape: a sample of shape (28, 28) has 784 elements, which cannot take the shape (5, -1)");
  EXPECT_EQ(text_of_build(Reshape{0, -1}, {3, 0}),
            "Reshape: a sample of shape (3, 0) has 0 elements, which cannot take the shape (0, -1)");
  EXPECT_EQ(error_of<ShapeError>([] {
              run(Reshape{2, 2}, Tensor(Shape{4, 3}));
            }),
            "Reshape: a sample of shape (3,) has 3 elements, but (2, 2) has 4");
  EXPECT_EQ(error_of<ShapeError>([] { run(Reshape{1}, Tensor::scalar(1)); }),
            "Reshape: got a scalar; a batch of samples is required");
}

TEST(Reshape, RejectsAnInvalidTarget) {
  Rng rng(1);
  const auto text_of_build = [&](Reshape layer) { return error_of<ValueError>([&] { layer.build({4}, rng); }); };
  EXPECT_EQ(text_of_build(Reshape{-1, 2, -1}), "Reshape: the target (-1, 2, -1) has more than one -1");
  EXPECT_EQ(text_of_build(Reshape{-2}), "Reshape: the target (-2,) has a negative dimension other than -1");
  EXPECT_EQ(
      text_of_build(Reshape{1, 1, 1, 1, 1, 1, 2, 2}),
      "Reshape: the target (1, 1, 1, 1, 1, 1, 2, 2) has 8 dimensions; at most 7 are possible besides the batch axis");
}

}  // namespace
}  // namespace cornu
