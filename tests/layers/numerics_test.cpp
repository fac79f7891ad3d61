// Layers against values from tutorials and textbooks, computed with 50 digits.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cornu/layers/activation.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::infinity;
using testing::nan;
using testing::rounding;
using testing::run;

void expect_elements(const Tensor& got, const std::vector<double>& expected, double tolerance = rounding) {
  ASSERT_EQ(got.size(), static_cast<Index>(expected.size()));
  for (Index i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[static_cast<std::size_t>(i)], tolerance) << "element " << i;
  }
}

TEST(Numerics, SoftmaxOfAVector) {
  expect_elements(run(Softmax{}, Tensor::matrix({{3, 4, 1}})),
                  {.25949646034241913, .70538451269824121, .035119026959339723});
  expect_elements(run(Softmax{}, Tensor::matrix({{1, 2, 3}})),
                  {.090030573170380462, .24472847105479764, .6652409557748219});
}

TEST(Numerics, SoftmaxAlongEitherAxisOfAMatrix) {
  const Tensor rows = Tensor::matrix({{1, 2, 3, 4}, {4, 3, 2, 1}});
  const std::vector<double> along_rows = {.032058603280084988, .087144318742032573, .23688281808991013,
                                          .64391425988797235,  .64391425988797235,  .23688281808991013,
                                          .087144318742032573, .032058603280084988};
  expect_elements(run(Softmax{.axis = 1}, rows), along_rows);
  expect_elements(run(Softmax{}, rows), along_rows);

  Tensor sample = rows;  // a batch of one such matrix: its columns are along axis 1
  sample.reshape({1, 2, 4});
  expect_elements(run(Softmax{.axis = 1}, sample),
                  {.04742587, .26894142, .73105858, .95257413, .95257413, .73105858, .26894142, .04742587}, 1e-7);
  expect_elements(run(Softmax{.axis = 2}, sample), along_rows);
}

TEST(Numerics, SoftmaxDoesNotOverflow) {
  expect_elements(run(Softmax{}, Tensor::matrix({{10000, 0, -10000}})), {1, 0, 0});
  expect_elements(run(Softmax{}, Tensor::matrix({{-10000, -10000}})), {.5, .5});
}

TEST(Numerics, SoftmaxOfInfinitiesAndNaN) {
  expect_elements(run(Softmax{}, Tensor::matrix({{-infinity, 0, 0}})), {0, .5, .5});
  for (const Tensor& row :
       {Tensor::matrix({{-infinity, -infinity}}), Tensor::matrix({{0, infinity}}), Tensor::matrix({{nan, 0}})}) {
    for (const Real value : run(Softmax{}, row)) EXPECT_TRUE(std::isnan(value));
  }
}

TEST(Numerics, TheWholeJacobianOfSoftmax) {
  const Tensor x = Tensor::matrix({{1, 2, 3}});
  const std::vector<std::vector<double>> expected = {{.081925069, -.022033045, -.059892025},
                                                     {-.022033045, .184836447, -.162803402},
                                                     {-.059892025, -.162803402, .222695427}};
  Tape tape;
  const Var in = tape.variable(x);
  const Var y = Softmax{}.forward(in);
  for (Index row = 0; row < 3; ++row) {
    Tensor one(Shape{1, 3});
    one[row] = 1;
    expect_elements(Tensor(tape.backward(y, one)[in]), expected[static_cast<std::size_t>(row)], 1e-7);
  }
}

TEST(Numerics, SigmoidAndItsDerivative) {
  const Tensor x = Tensor::vector({0, 2, -2, 1}), ones = Tensor::full({4}, 1);
  Tape tape;
  const Var in = tape.variable(x);
  const Var y = Sigmoid{}.forward(in);
  expect_elements(Tensor(y.value()), {.5, .88079707797788243, .11920292202211756, .73105857863000490});
  expect_elements(Tensor(tape.backward(y, ones)[in]),
                  {.25, .10499358540350652, .10499358540350652, .19661193324148185});
}

TEST(Numerics, SigmoidDoesNotOverflow) {
  const Tensor y = run(Sigmoid{}, Tensor::vector({1000, -1000, 17, -100}));
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], 0);
  EXPECT_NEAR(y[2], 0.99999995860062441, rounding);
  EXPECT_GE(y[3], 0);
  EXPECT_LT(y[3], 1e-43);
}

TEST(Numerics, TanhAndItsDerivative) {
  const Tensor x = Tensor::vector({0, 1, -.5}), ones = Tensor::full({3}, 1);
  Tape tape;
  const Var in = tape.variable(x);
  const Var y = Tanh{}.forward(in);
  expect_elements(Tensor(y.value()), {0, .76159415595576489, -.46211715726000976});
  expect_elements(Tensor(tape.backward(y, ones)[in]), {1, .41997434161402614, .78644773296592741});
}

/// Builds the layers in sequence; returns the total number of parameter elements.
Index build_all(std::vector<AnyLayer>& layers, Shape shape, const Shape& expected) {
  Rng rng(1);
  Index count = 0;
  for (AnyLayer& layer : layers) {
    shape = layer.build(shape, rng);
    for (const NamedParameter& named : layer.parameters()) count += named.parameter->value.size();
  }
  EXPECT_EQ(shape, expected);
  return count;
}

TEST(Numerics, TheLayersOfTheTutorialModels) {
  std::vector<AnyLayer> first{Dense{64, relu}, Dense{10}, Softmax{}};
  EXPECT_EQ(build_all(first, {784}, {10}), 784 * 64 + 64 + 64 * 10 + 10);
  std::vector<AnyLayer> second{Flatten{28, 28}, Dense{128, relu}, Dense{10}, Softmax{}};
  ASSERT_EQ(second[0].input_shape(), (Shape{28, 28}));
  EXPECT_EQ(build_all(second, {28, 28}, {10}), 100480 + 1290);

  const Tensor x = testing::normal({3, 28, 28});
  Tape tape(Mode::inference);
  Var y = tape.input(x);
  for (const AnyLayer& layer : second) y = layer.forward(y);
  ASSERT_EQ(y.shape(), (Shape{3, 10}));
  for (const Real total : sum(y, -1).value()) EXPECT_NEAR(total, 1, rounding);
  EXPECT_TRUE(y.softmax_logits());
}

}  // namespace
}  // namespace cornu
