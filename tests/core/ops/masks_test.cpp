#include "cornu/core/ops/masks.h"
#include "cornu/core/ops/comparisons.h"

#include <gtest/gtest.h>

#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;

/// The mask of a value as a Tensor; empty if it has none.
Tensor mask_of(Var x) { return x.is_masked() ? Tensor(x.mask().value()) : Tensor(); }

const Tensor& some_mask() {
  static const Tensor mask = Tensor::matrix({{1, 0, 1}, {0, 1, 1}});
  return mask;
}

TEST(Masks, StepMaskFindsPadding) {
  const Tensor x({2, 3, 2}, {0, 0, 0, 1, -1, 0, 5, 5, 0, 0, 0, 0}), tokens = Tensor::matrix({{3, 0, 1}, {0, 0, 2}});
  Tape tape;
  EXPECT_EQ(Tensor(step_mask(tape.variable(x), 0).value()), Tensor::matrix({{0, 1, 1}, {1, 0, 0}}));
  EXPECT_EQ(Tensor(step_mask(tape.input(x), 5).value()), Tensor::matrix({{1, 1, 1}, {0, 1, 1}}));
  EXPECT_EQ(Tensor(step_mask(tape.input(tokens), 0).value()), Tensor::matrix({{1, 0, 1}, {0, 0, 1}}));
  EXPECT_EQ(error_of<ShapeError>([&] { step_mask(tape.constant(Tensor(Shape{3})), 0); }),
            "step_mask: x of shape (3,); (batch, steps, ...) is required");
}

TEST(Masks, SequenceMaskCountsTheFirstSteps) {
  const Tensor lengths = Tensor::vector({0, 3, 1}), wrong = Tensor::vector({1, 4}), fraction = Tensor::vector({0.5});
  Tape tape;
  EXPECT_EQ(Tensor(sequence_mask(tape.input(lengths), 3).value()), Tensor::matrix({{0, 0, 0}, {1, 1, 1}, {1, 0, 0}}));
  EXPECT_EQ(error_of<ValueError>([&] { sequence_mask(tape.input(wrong), 3); }),
            "sequence_mask: length 4 at 1; whole numbers from 0 to 3 are required");
  EXPECT_THROW((void)sequence_mask(tape.input(fraction), 3), ValueError);
  EXPECT_THROW((void)sequence_mask(tape.input(some_mask()), 3), ShapeError);
}

TEST(Masks, AMaskHasTheBatchAndTheSteps) {
  const Tensor x = normal({2, 3, 4});
  Tape tape;
  const Var in = tape.input(x), mask = tape.input(some_mask());
  const Var masked = with_mask(in, mask);
  EXPECT_FALSE(in.is_masked());
  EXPECT_EQ(masked.value().data(), x.data());
  EXPECT_EQ(mask_of(masked), some_mask());
  EXPECT_FALSE(with_mask(masked, {}).is_masked());
  EXPECT_EQ(error_of<ShapeError>([&] {
              with_mask(transpose(in, {1, 0, 2}), mask);
            }),
            "a mask of shape (2, 3) for a value of shape (3, 2, 4); (batch, steps) is required");
  EXPECT_THROW((void)with_mask(mean(in), mask), ShapeError);
}

TEST(Masks, MasksAreZerosAndOnesAndPaddingIsFinite) {
  Tensor x = normal({2, 3, 4}), half = some_mask();
  half[4] = Real(0.5);
  Tape tape;
  EXPECT_EQ(error_of<ValueError>([&] { with_mask(tape.input(x), tape.input(half)); }),
            "with_mask: 0.5 at step 4 of the mask; 0 or 1 is required");
  x[13] = std::numeric_limits<Real>::quiet_NaN();  // step 3, which is masked
  EXPECT_EQ(error_of<ValueError>([&] { with_mask(tape.input(x), tape.input(some_mask())); }),
            "with_mask: step 3 is masked, but not finite; fill padding with zeros");
}

TEST(Masks, OpsThatComputeEachStepFromTheSameStepPassThemOn) {
  const Tensor x = normal({2, 3, 4}), w = normal({4, 5}), row = normal({4}), bias = normal({5});
  Tape tape;
  const Var in = with_mask(tape.input(x), tape.input(some_mask())), plain = tape.input(x);
  for (const Var y : {relu(in),
                      -in,
                      in + 1,
                      2 * in,
                      in * tape.input(row),
                      plain - in,
                      matmul(in, tape.input(w)),
                      affine(in, tape.input(w), tape.input(bias)),
                      softmax(in),
                      log_softmax(in, 2),
                      layer_normalization(in, 1, 0),
                      batch_normalization(in, 0, 1, 1, 0),
                      reshape(in, {2, 3, 2, 2}),
                      reshape(in, {2, 3, 4, 1}),
                      transpose(reshape(in, {2, 3, 2, 2}), {0, 1, 3, 2}),
                      slice_axis(in, 2, 1, 3),
                      flip(in, 2),
                      sum(in, 2),
                      mean(in, -1, {.keepdims = true}),
                      max(in, 2),
                      concatenate({plain, in}, 2),
                      gelu(in),
                      maximum(in, plain),
                      erf(in),
                      floor(in),
                      clip(in, 0, 1),
                      mish(in),
                      mod(in, 2),
                      ops::greater(in, plain),
                      where(plain, in, 0),
                      where(in, plain, 0),
                      min(in, 2),
                      prod(in, 2),
                      variance(in, 2),
                      logsumexp(in, 2),
                      cumsum(in, 2)}) {
    EXPECT_EQ(mask_of(y), some_mask()) << to_string(y.shape());
  }
}

TEST(Masks, OpsThatMoveStepsMoveTheMask) {
  const Tensor x = normal({2, 3, 4});
  Tape tape;
  const Var in = with_mask(tape.input(x), tape.input(some_mask())), plain = tape.input(x);
  EXPECT_EQ(mask_of(flip(in, 1)), Tensor::matrix({{1, 0, 1}, {1, 1, 0}}));
  EXPECT_EQ(mask_of(slice_axis(in, 1, 1, 3)), Tensor::matrix({{0, 1}, {1, 1}}));
  EXPECT_EQ(mask_of(concatenate({in, plain}, 1)), Tensor::matrix({{1, 0, 1, 1, 1, 1}, {0, 1, 1, 1, 1, 1}}));
  EXPECT_EQ(mask_of(in + flip(in, 1)), Tensor::matrix({{1, 0, 1}, {1, 1, 1}}));  // counts in either
}

TEST(Masks, OtherOpsDropThem) {
  const Tensor square = normal({3, 3, 3}), more = normal({3, 3, 3, 3});
  Tape tape;
  const Tensor ones = Tensor::matrix({{1, 1, 0}, {1, 1, 0}, {1, 1, 0}});
  const Var in = with_mask(tape.input(square), tape.input(ones));
  for (const Var y : {transpose(in, {0, 2, 1}), transpose(in), matmul(transpose(in, {0, 2, 1}), in), softmax(in, 1),
                      sum(in, 1, {.keepdims = true}), mean(in), matmul(in, in), reshape(in, {9, 3}),
                      reshape(in, {3, 9}), cumsum(in, 1), min(in, 1), logsumexp(in, 1, {.keepdims = true})}) {
    EXPECT_FALSE(y.is_masked()) << to_string(y.shape());
  }
  // A new axis in front moves the others.
  EXPECT_FALSE((in + tape.input(more)).is_masked());
}

TEST(Masks, ThePassForgetsThem) {
  const Tensor x = normal({2, 3, 4});
  Tape tape;
  (void)with_mask(tape.input(x), tape.input(some_mask()));
  tape.clear();
  EXPECT_FALSE(tape.input(x).is_masked());
}

}  // namespace
}  // namespace cornu
