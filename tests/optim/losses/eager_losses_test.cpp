// The losses on tensors: the reference values, and the same bits as on a tape.

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

constexpr double eager_tolerance = sizeof(Real) == 8 ? 1e-15 : 1e-6;

TEST(EagerLosses, HaveTheReferenceValues) {
  const Tensor logits = Tensor::matrix({{3, 4, 1}});
  EXPECT_NEAR(sparse_categorical_crossentropy(logits, Tensor::vector({1}), {.from_logits = true}).item(),
              0.34901221676818639, eager_tolerance);
  EXPECT_NEAR(categorical_crossentropy(logits, Tensor::matrix({{0, 1, 0}}), {.from_logits = true}).item(),
              0.34901221676818639, eager_tolerance);
  EXPECT_NEAR(binary_crossentropy(Tensor::vector({2}), Tensor::vector({1}), {.from_logits = true}).item(),
              0.12692801104297249, eager_tolerance);
  EXPECT_NEAR(mean_squared_error(Tensor::vector({1, 2, 3}), Tensor::vector({1, 4, 4})).item(), 5.0 / 3,
              eager_tolerance);
}

TEST(EagerLosses, HaveTheSameBitsAsOnATape) {
  Tape tape;
  const Tensor p = Tensor::matrix({{0.2, 0.5, 0.3}, {0.1, 0.1, 0.8}}), labels = Tensor::vector({1, 0});
  const Tensor weights = Tensor::vector({0.5, 2});
  const CategoricalOptions options{.label_smoothing = 0.1, .sample_weight = weights};
  EXPECT_EQ(sparse_categorical_crossentropy(p, labels, options).item(),
            sparse_categorical_crossentropy(tape.input(p), labels, options).item());
}

TEST(EagerLosses, ThrowTheSameErrorsAsOnATape) {
  testing::expect_error<ValueError>(
      [] {
        sparse_categorical_crossentropy(Tensor::matrix({{0.5, 0.5}}), Tensor::vector({2}));
      },
      "sparse_categorical_crossentropy: label 2 in row 0; labels are whole numbers from 0 to 1");
}

}  // namespace
}  // namespace cornu
