#include <gtest/gtest.h>

#include "cornu/core/ops/comparisons.h"
#include "cornu/core/ops/sequences.h"

// A tape tracks the batch axis: which ops keep samples separate, and which mix them.

namespace cornu {
namespace {

template <class F>
bool mixes(F f, const Shape& shape = {4, 4}) {  // equal sizes, so that the tape cannot detect mixing by size
  const Tensor x(shape);
  Tape tape;
  f(tape.samples(x));
  return tape.mixes_samples();
}

const Parameter square_matrix{Tensor({4, 4})}, vector{Tensor({4})}, matrices{Tensor({4, 4, 4})};

TEST(Samples, StaySeparateInOpsOnEachSample) {
  EXPECT_FALSE(mixes([](Var x) { relu(affine(x, square_matrix, vector)); }));
  EXPECT_FALSE(mixes([](Var x) { softmax(matmul(x, square_matrix)); }));
  EXPECT_FALSE(mixes([](Var x) { affine(x, square_matrix, vector); }, {4, 2, 4}));
  EXPECT_FALSE(mixes([](Var x) { matmul(x, square_matrix, {.transpose_b = true}); }, {4, 2, 3, 4}));
  EXPECT_FALSE(mixes([](Var x) { x* vector + sum(x, 1, {.keepdims = true}) - max(x, -1, {.keepdims = true}); }));
  EXPECT_FALSE(mixes([](Var x) { reshape(reshape(x, {4, 2, 2}), {4, 4}); }));
  EXPECT_FALSE(mixes([](Var x) { transpose(x, {0, 2, 1}); }, {4, 4, 4}));
  EXPECT_FALSE(mixes([](Var x) { matmul(x, x, {.transpose_b = true}); }, {4, 4, 4}));
  EXPECT_FALSE(mixes([](Var x) { matmul(x, matrices); }, {4, 4, 4}));
  EXPECT_FALSE(mixes([](Var x) { concatenate({x, x}, 1); }));
  EXPECT_FALSE(mixes([](Var x) { slice_axis(x, 1, 0, 2); }));
  EXPECT_FALSE(mixes([](Var x) { layer_normalization(x, vector, 0); }));
  EXPECT_FALSE(mixes([](Var x) { batch_normalization(x, vector, vector, vector, vector); }));
}

TEST(Samples, StaySeparateInComparisonsSelectionsAndSumsOfFeatures) {
  EXPECT_FALSE(mixes([](Var x) { where(ops::greater(x, vector), x, 0); }));
  EXPECT_FALSE(mixes([](Var x) { where(vector, x, vector); }));
  EXPECT_FALSE(mixes([](Var x) { mod(x, vector) + cumsum(x, 1) + erf(x) + clip(x, 0, 1); }));
  EXPECT_FALSE(mixes([](Var x) { min(x, 1) + prod(x, -1) + variance(x, 1) + logsumexp(x, 1); }));
}

TEST(Samples, AreMixedBySelectionsAndReductionsAlongTheBatchAxis) {
  EXPECT_TRUE(mixes([](Var x) { min(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { prod(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { variance(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { logsumexp(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { variance(x); }));
  EXPECT_TRUE(mixes([](Var x) { logsumexp(x); }));
  EXPECT_TRUE(mixes([](Var x) { cumsum(x, -2); }));
  EXPECT_TRUE(mixes([](Var x) { ops::greater(x, square_matrix); }, {4}));
  EXPECT_TRUE(mixes([](Var x) { where(square_matrix, x, 0); }, {4}));
  EXPECT_TRUE(mixes([](Var x) { where(x, square_matrix, 0); }, {4}));
}

TEST(Samples, StaySeparateInRecurrentOps) {
  const Parameter four_gates{Tensor({4, 16})}, three_gates{Tensor({4, 12})}, four_biases{Tensor({16})},
      biases{Tensor({2, 12})};
  for (const bool sequences : {false, true}) {
    const RecurrentOptions options{.return_sequences = sequences};
    EXPECT_FALSE(mixes([&](Var x) { lstm(x, four_gates, four_gates, four_biases, options); }, {4, 4, 4}));
    EXPECT_FALSE(mixes([&](Var x) { gru(x, three_gates, three_gates, biases, options); }, {4, 4, 4}));
  }
}

TEST(Samples, AreMixedByOpsAlongTheBatchAxis) {
  EXPECT_TRUE(mixes([](Var x) { mean(x); }));
  EXPECT_TRUE(mixes([](Var x) { mean(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { max(x, -2); }));
  EXPECT_TRUE(mixes([](Var x) { sum(x, 0, {.keepdims = true}); }));
  EXPECT_TRUE(mixes([](Var x) { softmax(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { log_softmax(x, 0); }));
  EXPECT_TRUE(mixes([](Var x) { slice_axis(x, 0, 0, 2); }));
  EXPECT_TRUE(mixes([](Var x) { concatenate({x, x}, 0); }));
  EXPECT_TRUE(mixes([](Var x) { reshape(x, {2, 8}); }));
  EXPECT_TRUE(mixes([](Var x) { reshape(x, {16}); }));
}

TEST(Samples, AreMixedIfTheBatchAxisIsMovedOrSummedOver) {
  EXPECT_TRUE(mixes([](Var x) { transpose(x); }));
  EXPECT_TRUE(mixes([](Var x) { transpose(x, {1, 0, 2}); }, {4, 4, 4}));
  EXPECT_TRUE(mixes([](Var x) { matmul(x, x); }));
  EXPECT_TRUE(mixes([](Var x) { matmul(x, x, {.transpose_b = true}); }));
  EXPECT_TRUE(mixes([](Var x) { matmul(x, square_matrix, {.transpose_a = true}); }));
  EXPECT_TRUE(mixes([](Var x) { matmul(square_matrix, x); }));
  EXPECT_TRUE(mixes([](Var x) { matmul(x, matrices); }));
  EXPECT_TRUE(mixes([](Var x) { matmul(x, square_matrix); }, {4}));
  EXPECT_TRUE(mixes([](Var x) { affine(x, square_matrix, vector); }, {4}));
  EXPECT_TRUE(mixes([](Var x) { x* square_matrix; }, {4}));
  EXPECT_TRUE(mixes([](Var x) { batch_normalization(x, vector, vector); }));
  EXPECT_TRUE(mixes([](Var x) { layer_normalization(x, square_matrix, 0, {.axes = 2}); }));
}

TEST(Samples, StaySeparateIfTheirStepsAreSamples) {
  const Shape steps{4, 2, 4};
  EXPECT_FALSE(mixes(
      [](Var x) {
        const Var rows = steps_as_samples(x);
        EXPECT_EQ(rows.shape(), (Shape{8, 4}));
        reshape(relu(affine(reshape(reshape(rows, {8, 2, 2}), {8, 4}), square_matrix, vector)), {4, 2, 4});
      },
      steps));
  EXPECT_FALSE(mixes([](Var x) { steps_as_samples(steps_as_samples(x)); }, {4, 2, 2}));
  EXPECT_FALSE(mixes([](Var x) { steps_as_samples(x); }, {0, 2, 4}));
  EXPECT_TRUE(mixes([](Var x) { reshape(x, {8, 4}); }, steps)) << "could be any rows";
  EXPECT_TRUE(mixes([](Var x) { reshape(steps_as_samples(x), {2, 16}); }, steps));
  EXPECT_TRUE(mixes([](Var x) { mean(steps_as_samples(x), 0); }, steps));
  EXPECT_TRUE(mixes([](Var x) { slice_axis(steps_as_samples(x), 0, 0, 4); }, steps));
  EXPECT_TRUE(mixes([](Var x) { batch_normalization(steps_as_samples(x), vector, vector); }, steps));
}

TEST(Samples, AreNotTrackedAfterClear) {
  const Tensor x({4, 4});
  Tape tape;
  mean(tape.samples(x));
  EXPECT_TRUE(tape.mixes_samples());
  tape.clear();
  EXPECT_FALSE(tape.mixes_samples());
  mean(tape.input(x));
  EXPECT_FALSE(tape.mixes_samples()) << "an input is not tracked";
}

}  // namespace
}  // namespace cornu
