#include "cornu/layers/input.h"

#include <gtest/gtest.h>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::run;

TEST(Input, DeclaresTheShapeOfASample) {
  EXPECT_EQ((Input{28, 28}.input_shape()), (Shape{28, 28}));
  EXPECT_EQ(Input{784}.input_shape(), (Shape{784}));
  EXPECT_EQ(Input{}.input_shape(), Shape());
  const Shape shape{3, 4};
  EXPECT_EQ(Input(shape).input_shape(), shape);
  EXPECT_EQ((Input{Shape{3, 4}}.input_shape()), shape);
  const Input original{2, 5};
  EXPECT_EQ(Input{original}.input_shape(), (Shape{2, 5}));
}

TEST(Input, IsTheIdentity) {
  const Tensor x = testing::normal({2, 3, 4});
  Tape tape;
  const Var in = tape.variable(x);
  EXPECT_EQ((Input{3, 4}.forward(in).value().data()), x.data());
  for (const Shape& input : {Shape{}, Shape{1}, Shape{5}, Shape{2, 3}}) {
    testing::expect_passes(Input(input), input);
  }
}

TEST(Input, AcceptsAnEmptyBatch) { EXPECT_EQ((run(Input{3, 4}, Tensor(Shape{0, 3, 4})).shape()), (Shape{0, 3, 4})); }

TEST(Input, RejectsSamplesOfAnotherShape) {
  Input layer{28, 28};
  Rng rng(1);
  EXPECT_EQ(layer.build({28, 28}, rng), (Shape{28, 28}));
  EXPECT_EQ(error_of<ShapeError>([&] { layer.build({784}, rng); }),
            "Input: samples have shape (784,); (28, 28) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor(Shape{28, 28}));
            }),
            "Input: got (28, 28); a batch of samples of shape (28, 28) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor(Shape{2, 784}));
            }),
            "Input: got (2, 784); a batch of samples of shape (28, 28) is required");
  EXPECT_EQ(error_of<ShapeError>([&] { run(Input{}, Tensor::scalar(1)); }),
            "Input: got (); a batch of samples of shape () is required");
}

TEST(Input, RejectsAnInvalidShape) {
  EXPECT_EQ(error_of<ShapeError>([] { (void)Input{28, -2}; }), "shape (28, -2) has a negative dimension");
}

TEST(Input, AcceptsAnyLengthAlongAnAxisOfMinusOne) {
  Input layer{-1, 8};
  EXPECT_EQ(layer.shape, (Shape{0, 8}));
  Rng rng(1);
  EXPECT_EQ(layer.build({5, 8}, rng), (Shape{5, 8}));
  EXPECT_EQ(run(layer, Tensor(Shape{2, 3, 8})).shape(), (Shape{2, 3, 8}));
  EXPECT_EQ(error_of<ShapeError>([&] {
              layer.build({5, 7}, rng);
            }),
            "Input: samples have shape (5, 7); (-1, 8) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor(Shape{2, 8}));
            }),
            "Input: got (2, 8); a batch of samples of shape (-1, 8) is required");
}

}  // namespace
}  // namespace cornu
