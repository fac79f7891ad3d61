#include "cornu/core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::expect_error;

TEST(Tensor, IsEmptyByDefault) {
  const Tensor tensor;
  EXPECT_EQ(tensor.shape(), Shape{0});
  EXPECT_TRUE(tensor.empty());
  EXPECT_EQ(to_string(tensor), "[]");
}

TEST(Tensor, MadeFromAShapeIsAllZeros) {
  const Tensor tensor(Shape{2, 3});
  EXPECT_EQ(tensor, Tensor({2, 3}, {0, 0, 0, 0, 0, 0}));
}

TEST(Tensor, StoresItsElementsInRowMajorOrder) {
  const Tensor tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(tensor.rank(), 2);
  EXPECT_EQ(tensor.size(), 6);
  EXPECT_EQ(tensor.at({0, 2}), 3);
  EXPECT_EQ(tensor.at({1, 0}), 4);
  EXPECT_EQ(tensor[4], 5);
  EXPECT_EQ(std::vector<Real>(tensor.begin(), tensor.end()), (std::vector<Real>{1, 2, 3, 4, 5, 6}));
}

TEST(Tensor, RejectsAWrongNumberOfElements) {
  expect_error<ShapeError>([] { Tensor({2, 2}, {1, 2, 3}); }, "Tensor: shape (2, 2) needs 4 elements, 3 were given");
  EXPECT_THROW(Tensor(Shape{}, std::vector<Real>{}), ShapeError);
}

TEST(Tensor, ThrowsBadAllocIfMemoryRunsOut) { EXPECT_THROW(Tensor(Shape{Shape::max_size}), std::bad_alloc); }

TEST(Tensor, IsAlignedToACacheLine) {
  for (const Index size : {1, 3, 1000}) {
    const Tensor tensor(Shape{size});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % alignment, 0U);
  }
}

TEST(Tensor, IsMadeFromNestedBraces) {
  EXPECT_EQ(Tensor::matrix({{1, 2}, {3, 4}}), Tensor({2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(Tensor::vector({1, 2, 3}), Tensor({3}, {1, 2, 3}));
  EXPECT_EQ(Tensor::scalar(5), Tensor(Shape{}, {5}));
  EXPECT_EQ(Tensor::full({2}, 7), Tensor::vector({7, 7}));
  EXPECT_EQ(Tensor::matrix({}).shape(), (Shape{0, 0}));
}

TEST(Tensor, RejectsRaggedRows) {
  expect_error<ShapeError>(
      [] {
        (void)Tensor::matrix({{1, 2}, {3}});
      },
      "Tensor::matrix: a row has 1 elements, the first row has 2");
}

TEST(Tensor, ACopyIsIndependent) {
  Tensor original = Tensor::vector({1, 2});
  Tensor copy = original;
  copy[0] = 9;
  EXPECT_EQ(original, Tensor::vector({1, 2}));
  copy = original;
  original[1] = 8;
  EXPECT_EQ(copy, Tensor::vector({1, 2}));
}

TEST(Tensor, IsUnchangedBySelfAssignment) {
  Tensor tensor = Tensor::vector({1, 2});
  const Tensor& same = tensor;
  tensor = same;
  EXPECT_EQ(tensor, Tensor::vector({1, 2}));
}

TEST(Tensor, AMoveTakesTheMemoryAndLeavesAnEmptyTensor) {
  Tensor from = Tensor::vector({1, 2});
  const Real* const memory = from.data();
  Tensor to = std::move(from);
  EXPECT_EQ(to.data(), memory);
  EXPECT_EQ(from.shape(), Shape{0});  // NOLINT(bugprone-use-after-move): the moved-from state is documented
  EXPECT_EQ(from, Tensor());

  Tensor assigned = Tensor::scalar(3);
  assigned = std::move(to);
  EXPECT_EQ(assigned, Tensor::vector({1, 2}));
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)

  to.resize({3});  // a moved-from tensor can be used again
  to.fill(4);
  EXPECT_EQ(to, Tensor::vector({4, 4, 4}));
}

TEST(Tensor, AtChecksTheIndices) {
  Tensor tensor(Shape{2, 3});
  tensor.at({1, 2}) = 5;
  EXPECT_EQ(tensor[5], 5);
  EXPECT_EQ(Tensor::scalar(4).at({}), 4);
  expect_error<ShapeError>([&] { (void)tensor.at({2, 0}); }, "Tensor::at: index (2, 0) is outside the shape (2, 3)");
  expect_error<ShapeError>([&] { (void)tensor.at({0, -1}); }, "Tensor::at: index (0, -1) is outside the shape (2, 3)");
  expect_error<ShapeError>([&] { (void)tensor.at({1}); }, "Tensor::at: index (1,) has 1 axes, the shape (2, 3) has 2");
  expect_error<ShapeError>(
      [&] {
        (void)tensor.at({0, 0, 0, 0, 0, 0});
      },
      "Tensor::at: index (0, 0, 0, 0, 0, 0) has 6 axes, the shape (2, 3) has 2");
}

TEST(Tensor, ItemIsTheOnlyElement) {
  EXPECT_EQ(Tensor::scalar(3).item(), 3);
  EXPECT_EQ(Tensor({1, 1}, {4}).item(), 4);
  expect_error<ShapeError>(
      [] {
        (void)Tensor::vector({1, 2}).item();
      },
      "Tensor::item: a tensor of shape (2,) has 2 elements, one is required");
  EXPECT_THROW((void)Tensor().item(), ShapeError);
}

TEST(Tensor, ReshapeKeepsTheElementsInPlace) {
  Tensor tensor = Tensor::matrix({{1, 2, 3}, {4, 5, 6}});
  const Real* const memory = tensor.data();
  tensor.reshape({3, 2});
  EXPECT_EQ(tensor, Tensor::matrix({{1, 2}, {3, 4}, {5, 6}}));
  EXPECT_EQ(tensor.data(), memory);
}

TEST(Tensor, ReshapeRejectsAnotherSizeAndChangesNothing) {
  Tensor tensor = Tensor::vector({1, 2, 3});
  expect_error<ShapeError>([&] { tensor.reshape({2, 2}); }, "Tensor::reshape: (3,) has 3 elements, (2, 2) has 4");
  EXPECT_EQ(tensor, Tensor::vector({1, 2, 3}));
}

TEST(Tensor, ResizeKeepsItsMemoryIfItIsLargeEnough) {
  Tensor tensor(Shape{10});
  const Real* const memory = tensor.data();
  tensor.resize({2, 2});
  EXPECT_EQ(tensor.size(), 4);
  tensor.resize({10});
  EXPECT_EQ(tensor.data(), memory);
  tensor.resize({100});
  tensor.fill(1);
  EXPECT_EQ(tensor, Tensor::full({100}, 1));
}

TEST(Tensor, AssignmentKeepsItsMemoryIfItIsLargeEnough) {
  Tensor tensor(Shape{10});
  const Real* const memory = tensor.data();
  const Tensor other = Tensor::full({5}, 2);
  tensor = other;
  EXPECT_EQ(tensor, other);
  EXPECT_EQ(tensor.data(), memory);
}

TEST(Tensor, AViewSharesTheElements) {
  Tensor tensor = Tensor::matrix({{1, 2}, {3, 4}});
  const View view = tensor;
  view[3] = 9;
  EXPECT_EQ(tensor.at({1, 1}), 9);
  const ConstView reading = view;
  EXPECT_EQ(reading.data(), tensor.data());
  EXPECT_EQ(reading.shape(), (Shape{2, 2}));
  EXPECT_EQ(Tensor(reading), tensor);
}

TEST(Tensor, ComparesShapesAndElementsAndNaNEqualsNothing) {
  const Tensor x = Tensor::scalar(testing::nan);
  EXPECT_FALSE(x == x);
  EXPECT_FALSE(Tensor::vector({1, 2}) == Tensor({1, 2}, {1, 2}));
}

TEST(Tensor, PrintsNestedBracketsAndAlignedColumns) {
  EXPECT_EQ(to_string(Tensor::scalar(2.5)), "2.5");
  EXPECT_EQ(to_string(Tensor::vector({1, 2.5, -3})), "[  1 2.5  -3]");
  EXPECT_EQ(to_string(Tensor::matrix({{1, 20}, {300, 4}})), "[[  1  20]\n [300   4]]");
  EXPECT_EQ(to_string(Tensor({2, 1, 2}, {1, 2, 3, 4})), "[[[1 2]]\n [[3 4]]]");
  EXPECT_EQ(to_string(Tensor::vector({testing::infinity, -1})), "[inf  -1]");
}

TEST(Tensor, AbbreviatesLongAxes) {
  Tensor tensor(Shape{1001});
  for (Index i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<Real>(i);
  EXPECT_EQ(to_string(tensor), "[   0    1    2 ...  998  999 1000]");
}

TEST(Tensor, AlignsThePrintedColumnsOnly) {
  Tensor tensor(Shape{2000, 1});
  tensor[1000] = 123456;  // omitted, so that it does not widen the columns
  tensor[1999] = -25;
  EXPECT_EQ(to_string(tensor), "[[  0]\n [  0]\n [  0]\n ...\n [  0]\n [  0]\n [-25]]");
}

template <class T>
concept CanBeViewed = requires(T&& tensor) {
  std::forward<T>(tensor).view();
};

TEST(Tensor, HasNoViewOfATemporary) { static_assert(CanBeViewed<Tensor&> && !CanBeViewed<Tensor>); }

TEST(View, ReturnsTheShapeOfATemporaryByValue) {
  Tensor tensor(Shape{2, 3});
  const Shape& shape = tensor.view().shape();  // returned by value; the reference extends its lifetime
  const Shape& same = std::as_const(tensor).view().shape();
  EXPECT_EQ(shape, (Shape{2, 3}));
  EXPECT_EQ(same, (Shape{2, 3}));
}

}  // namespace
}  // namespace cornu
