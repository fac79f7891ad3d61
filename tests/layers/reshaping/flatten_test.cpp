#include "cornu/layers/reshaping/flatten.h"

#include <gtest/gtest.h>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::run;

TEST(Flatten, ReturnsOneRowPerSample) {
  Flatten layer;
  Rng rng(1);
  EXPECT_EQ(layer.build({28, 28}, rng), (Shape{784}));
  EXPECT_EQ(layer.build({2, 3, 4}, rng), (Shape{24}));
  EXPECT_EQ(layer.build({5}, rng), (Shape{5}));
  EXPECT_EQ(layer.build({}, rng), (Shape{1}));

  const Tensor x(Shape{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(run(layer, x), Tensor::matrix({{1, 2, 3, 4}, {5, 6, 7, 8}}));
  EXPECT_EQ(run(layer, Tensor::vector({1, 2, 3})), Tensor::matrix({{1}, {2}, {3}}));
}

TEST(Flatten, CopiesNothing) {
  const Tensor x(Shape{2, 3, 4});
  Tape tape;
  EXPECT_EQ(Flatten{}.forward(tape.input(x)).value().data(), x.data());
}

TEST(Flatten, AcceptsEmptyBatchesAndEmptySamples) {
  EXPECT_EQ(run(Flatten{}, Tensor(Shape{0, 3, 4})).shape(), (Shape{0, 12}));
  EXPECT_EQ(run(Flatten{}, Tensor(Shape{2, 0, 4})).shape(), (Shape{2, 0}));
}

TEST(Flatten, CanDeclareItsInputShape) {
  EXPECT_EQ(Flatten{}.input_shape(), std::nullopt);
  EXPECT_EQ((Flatten{28, 28}.input_shape()), (Shape{28, 28}));
  EXPECT_EQ((Flatten{Shape{28, 28}}.input_shape()), (Shape{28, 28}));
  EXPECT_EQ(Flatten{Shape{}}.input_shape(), Shape());
  EXPECT_EQ((run(Flatten{2, 3}, Tensor(Shape{4, 2, 3})).shape()), (Shape{4, 6}));
}

TEST(Flatten, PassesCheckLayer) {
  for (const Shape& input : {Shape{}, Shape{1}, Shape{5}, Shape{2, 3}, Shape{2, 1, 3}, Shape{1, 2, 1, 2}}) {
    for (const Flatten& layer : {Flatten{}, Flatten(input)}) {
      testing::expect_passes(layer, input);
    }
  }
}

TEST(Flatten, RejectsSamplesOfAnotherShape) {
  Flatten layer{28, 28};
  Rng rng(1);
  EXPECT_EQ(error_of<ShapeError>([&] { layer.build({784}, rng); }),
            "Flatten: samples have shape (784,); (28, 28) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor(Shape{2, 28, 27}));
            }),
            "Flatten: got (2, 28, 27); a batch of samples of shape (28, 28) is required");
  EXPECT_EQ(error_of<ShapeError>([] { run(Flatten{}, Tensor::scalar(1)); }),
            "Flatten: got a scalar; a batch of samples is required");
}

}  // namespace
}  // namespace cornu
