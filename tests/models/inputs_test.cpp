#include "cornu/layers/inputs.h"

#include <gtest/gtest.h>

#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::normal;

struct Sum {
  Var forward(Var a, Var b) const { return reshape(a + b, {a.shape()[0], -1}); }
};

TEST(Inputs, ArePackedInOneRow) {
  const Tensor a = Tensor::matrix({{1, 2}, {3, 4}}), b = Tensor({2, 1, 2}, {5, 6, 7, 8}), c = Tensor::vector({9, 10});
  EXPECT_EQ(pack({a, b, c}), Tensor::matrix({{1, 2, 5, 6, 9}, {3, 4, 7, 8, 10}}));
  EXPECT_EQ((Inputs{{2}, {1, 2}, {}}.packed()), Shape{5});
  const Tensor three(Shape{3});
  expect_error<ShapeError>(
      [&] {
        pack({a, three});
      },
      "pack: tensors (2, 2) and (3,); their first axes count the samples and must agree");
  expect_error<ValueError>([] { pack({}); }, "pack: no tensors");
  expect_error<ValueError>([] { Inputs(std::vector<Shape>{}); }, "Inputs: 0 inputs; 1 to 8 are allowed");
}

TEST(Inputs, AreCheckedAsOneShape) {
  const Sequential model{Inputs{{2}, {2}}, Sum{}};
  expect_error<ShapeError>(
      [&] {
        model.predict(normal({3, 5}));
      },
      "sequential: predict got an input of shape (3, 5); its first axis counts the samples, each "
      "of shape (4,)");
  Rng rng(1);
  expect_error<ShapeError>(
      [&] {
        Inputs({{2}, {2}}).build({3}, rng);
      },
      "Input: samples have shape (3,); (4,) is required");
  Tape tape;
  const Tensor x = normal({2, 4});
  EXPECT_EQ(Tensor(Inputs({{2}, {2}}).forward(tape.input(x)).value()), x);
}

TEST(Inputs, MayBeScalarsOrASingleInput) {
  const Sequential model{Inputs{Shape{}, Shape{}}, Sum{}};
  EXPECT_EQ(model.predict(Tensor::matrix({{1, 2}, {3, 4}})), Tensor::matrix({{3}, {7}}));
  EXPECT_EQ((Sequential{Inputs{Shape{2, 2}}, ReLU{}}.output_shape()), (Shape{2, 2}));
}

}  // namespace
}  // namespace cornu
