// Compares MultiHeadAttention with the expected values of Keras's own test (keras-team/keras,
// keras/src/layers/attention/multi_head_attention_test.py, test_correctness; Keras 3), which runs in float16.

#include <gtest/gtest.h>

#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/tests/layers/run.h"

namespace cornu {
namespace {

/// Every head projects with an identity: kernel[i, head, i] = 1.
Tensor identity_of_each_head(Index size) {
  Tensor kernel({size, size, size});
  for (Index i = 0; i < size; ++i) {
    for (Index head = 0; head < size; ++head) kernel.at({i, head, i}) = 1;
  }
  return kernel;
}

TEST(KerasFigures, MultiHeadAttentionReturnsOutputAndWeights) {
  constexpr Index size = 8;
  auto layer = testing::built(MultiHeadAttention{.num_heads = size, .key_dim = size}, {size, size});
  for (auto* projection : {&layer.query, &layer.key, &layer.value, &layer.attention_output}) {
    projection->kernel.value = identity_of_each_head(size);
  }
  Tensor identity({1, size, size}), value({1, size, size});
  for (Index i = 0; i < size; ++i) identity.at({0, i, i}) = 1;
  for (Index i = 0; i < value.size(); ++i) value[i] = static_cast<Real>(i) / 100;
  Tape tape(Mode::inference);
  const Var query = tape.input(identity);
  const auto [y, weights] = layer.attend(query, tape.input(value), query);
  const double output_of_step[] = {2.406, 2.440, 2.473, 2.504, 2.535, 2.568, 2.602, 2.633};
  const Tensor got(y.value()), scores(weights.value());
  ASSERT_EQ(got.shape(), (Shape{1, size, size}));
  ASSERT_EQ(scores.shape(), (Shape{1, size, size, size}));
  for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], output_of_step[i / size], 2e-3) << i;
  for (Index i = 0; i < scores.size(); ++i) {
    EXPECT_NEAR(scores[i], i / size % size == i % size ? 0.1691 : 0.1187, 5e-5) << i;
  }
}

}  // namespace
}  // namespace cornu
