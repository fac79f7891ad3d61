#include "cornu/datasets/pad_sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/random.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::error_of;

constexpr SequenceSide pre = SequenceSide::pre, post = SequenceSide::post;

/// The figures of Keras's own tests: keras/src/utils/sequence_utils_test.py.
TEST(PadSequences, EqualsKerasForIds) {
  const std::vector<Tensor> ids{Tensor::vector({1}), Tensor::vector({1, 2}), Tensor::vector({1, 2, 3})};
  EXPECT_EQ(pad_sequences(ids), Tensor::matrix({{0, 0, 1}, {0, 1, 2}, {1, 2, 3}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 3}), Tensor::matrix({{0, 0, 1}, {0, 1, 2}, {1, 2, 3}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 3, .padding = post}), Tensor::matrix({{1, 0, 0}, {1, 2, 0}, {1, 2, 3}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 2, .truncating = pre}), Tensor::matrix({{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 2, .truncating = post}), Tensor::matrix({{0, 1}, {1, 2}, {1, 2}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 3, .value = 1}), Tensor::matrix({{1, 1, 1}, {1, 1, 2}, {1, 2, 3}}));
}

TEST(PadSequences, EqualsKerasForFractions) {
  const Real a = Real(1.2), b = Real(2.3), c = Real(3.4);
  const std::vector<Tensor> series{Tensor::vector({a}), Tensor::vector({a, b}), Tensor::vector({a, b, c})};
  EXPECT_EQ(pad_sequences(series, {.maxlen = 3, .padding = post}), Tensor::matrix({{a, 0, 0}, {a, b, 0}, {a, b, c}}));
  EXPECT_EQ(pad_sequences(series, {.maxlen = 2}), Tensor::matrix({{0, a}, {a, b}, {b, c}}));
  EXPECT_EQ(pad_sequences(series, {.maxlen = 2, .truncating = post}), Tensor::matrix({{0, a}, {a, b}, {a, b}}));
  EXPECT_EQ(pad_sequences(series, {.maxlen = 3, .value = 1}), Tensor::matrix({{1, 1, a}, {1, a, b}, {a, b, c}}));
}

TEST(PadSequences, EqualsKerasForVectors) {
  const std::vector<Tensor> vectors{Tensor::matrix({{1, 1}}), Tensor::matrix({{2, 1}, {2, 2}}),
                                    Tensor::matrix({{3, 1}, {3, 2}, {3, 3}})};
  EXPECT_EQ(pad_sequences(vectors, {.maxlen = 3}),
            Tensor({3, 3, 2}, {0, 0, 0, 0, 1, 1, 0, 0, 2, 1, 2, 2, 3, 1, 3, 2, 3, 3}));
  EXPECT_EQ(pad_sequences(vectors, {.maxlen = 3, .padding = post}),
            Tensor({3, 3, 2}, {1, 1, 0, 0, 0, 0, 2, 1, 2, 2, 0, 0, 3, 1, 3, 2, 3, 3}));
  EXPECT_EQ(pad_sequences(vectors, {.maxlen = 2}), Tensor({3, 2, 2}, {0, 0, 1, 1, 2, 1, 2, 2, 3, 2, 3, 3}));
  EXPECT_EQ(pad_sequences(vectors, {.maxlen = 2, .truncating = post}),
            Tensor({3, 2, 2}, {0, 0, 1, 1, 2, 1, 2, 2, 3, 1, 3, 2}));
  EXPECT_EQ(pad_sequences(vectors, {.maxlen = 3, .value = 1}),
            Tensor({3, 3, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 2, 3, 1, 3, 2, 3, 3}));
}

TEST(PadSequences, MakesPaddingOfAnEmptySequence) {
  const std::vector<Tensor> ids{Tensor(), Tensor::vector({4, 5})};
  EXPECT_EQ(pad_sequences(ids, {.value = -1}), Tensor::matrix({{-1, -1}, {4, 5}}));
  EXPECT_EQ(pad_sequences(ids, {.maxlen = 1, .padding = post}), Tensor::matrix({{0}, {5}}));
  const std::vector<Tensor> vectors{Tensor(), Tensor({1, 2}, {6, 7}), Tensor({0, 2})};
  EXPECT_EQ(pad_sequences(vectors), Tensor({3, 1, 2}, {0, 0, 6, 7, 0, 0}));
  const std::vector<Tensor> nothing(2), no_vectors{Tensor(), Tensor({0, 3})};
  EXPECT_EQ(pad_sequences(nothing, {.maxlen = 2}), Tensor({2, 2}));
  EXPECT_EQ(pad_sequences(no_vectors, {.maxlen = 2}), Tensor({2, 2, 3}));
  EXPECT_EQ(pad_sequences(std::vector{Tensor({2, 0}), Tensor({1, 0})}).shape(), (Shape{2, 2, 0}));
}

/// The steps of each sequence come back from its row, for any lengths, shapes of a step and options.
TEST(PadSequences, KeepsTheStepsOfSequencesOfAnyLengths) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    const std::vector<Shape> shapes{{}, {1}, {3}, {2, 3}};
    const Shape step = shapes[static_cast<std::size_t>(rng.below(4))];
    std::vector<Tensor> sequences;
    Index longest = 0;
    for (Index count = 1 + rng.below(6); count > 0; --count) {
      const Index length = rng.below(9);
      sequences.emplace_back(step.batched(length));
      rng.fill_uniform(sequences.back(), 1, 2);
      longest = std::max(longest, length);
    }
    PadOptions options{.padding = rng.below(2) == 0 ? pre : post,
                       .truncating = rng.below(2) == 0 ? pre : post,
                       .value = static_cast<double>(rng.below(3) - 1)};
    if (longest == 0 || rng.below(2) == 0) options.maxlen = 1 + rng.below(10);
    const Index steps = options.maxlen.value_or(longest);
    const Tensor padded = pad_sequences(sequences, options);
    ASSERT_EQ(padded.shape(), step.batched(steps).batched(std::ssize(sequences)));
    for (Index i = 0; i < std::ssize(sequences); ++i) {
      const Tensor& sequence = sequences[static_cast<std::size_t>(i)];
      const Index length = sequence.shape()[0], surplus = std::max(length - steps, Index{0}),
                  missing = std::max(steps - length, Index{0});
      for (Index t = 0; t < steps; ++t) {
        const Index from = t - (options.padding == pre ? missing : 0) + (options.truncating == pre ? surplus : 0);
        const bool is_step = from >= 0 && from < length;
        for (Index k = 0; k < step.size(); ++k) {
          ASSERT_EQ(padded[(i * steps + t) * step.size() + k],
                    is_step ? sequence[from * step.size() + k] : static_cast<Real>(options.value))
              << "sequence " << i << ", step " << t << ", element " << k;
        }
      }
      if (length == 0 || surplus > 0) continue;
      const Tensor row(ConstView(padded.data() + i * steps * step.size(), step.batched(steps)));
      const Index begin = options.padding == pre ? missing : 0;
      ASSERT_EQ(slice_axis(row, 0, begin, begin + length), sequence);
    }
  }
}

TEST(PadSequences, NamesTheSequenceThatDoesNotFit) {
  const auto error = [](const std::vector<Tensor>& sequences) {
    return error_of<ShapeError>([&] { pad_sequences(sequences); });
  };
  EXPECT_EQ(error({Tensor(), Tensor({2, 3}), Tensor({4, 3}), Tensor({5, 2})}),
            "pad_sequences: sequence 1 is (2, 3) and sequence 3 is (5, 2); their shapes must be equal except for the "
            "steps");
  EXPECT_EQ(error({Tensor({3}), Tensor({3, 1})}),
            "pad_sequences: sequence 0 is (3,) and sequence 1 is (3, 1); their shapes must be equal except for the "
            "steps");
  EXPECT_EQ(error({Tensor({3}), Tensor::scalar(2)}),
            "pad_sequences: sequence 1 is a scalar; (steps) or (steps, features...) is required for each");
}

TEST(PadSequences, RejectsALengthBelowOneAndNoSequences) {
  const std::vector<Tensor> ids{Tensor::vector({1, 2})}, none, empty(3);
  for (const Index maxlen : {Index{0}, Index{-1}, std::numeric_limits<Index>::min()}) {
    EXPECT_EQ(error_of<ValueError>([&] { pad_sequences(ids, {.maxlen = maxlen}); }),
              message("pad_sequences: maxlen is {}; it must be at least 1", maxlen));
  }
  EXPECT_EQ(error_of<ValueError>([&] { pad_sequences(none, {.maxlen = 2}); }),
            "pad_sequences: there are no sequences; at least one is required");
  EXPECT_EQ(error_of<ValueError>([&] { pad_sequences(empty); }),
            "pad_sequences: all sequences are empty; .maxlen is required");
}

}  // namespace
}  // namespace cornu
