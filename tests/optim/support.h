#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/random.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/tensors.h"

namespace cornu::testing {

/// Expects `actual` to equal `expected` up to a few rounding errors, relative to max(1, |expected|).
inline void expect_close(Real actual, long double expected, int roundings = 8) {
  const long double tolerance =
      static_cast<long double>(std::numeric_limits<Real>::epsilon()) * roundings * std::max(1.0L, std::abs(expected));
  EXPECT_NEAR(static_cast<long double>(actual), expected, tolerance);
}

inline void expect_close(ConstView actual, std::initializer_list<long double> expected, int roundings = 8) {
  ASSERT_EQ(actual.size(), static_cast<Index>(expected.size()));
  for (Index i = 0; i < actual.size(); ++i) {
    SCOPED_TRACE(i);
    expect_close(actual[i], expected.begin()[i], roundings);
  }
}

/// The value of a function at x, and its gradient there.
struct Differentiated {
  Real value = 0;
  Tensor gradient;
};

template <class F>
Differentiated differentiate(F f, const Tensor& x) {
  Tape tape;
  const Var variable = tape.variable(x);
  const Var y = f(variable);
  const Gradients gradients = tape.backward(y);
  return {y.item(), Tensor(ConstView(gradients[variable]))};
}

/// Class indices, whole numbers below `classes`.
inline Tensor labels(const Shape& shape, Index classes, std::uint64_t seed) {
  Tensor result(shape);
  Rng rng(seed);
  for (Real& label : result) label = static_cast<Real>(rng.below(classes));
  return result;
}

inline Tensor one_hot(const Tensor& labels, Index classes) {
  Tensor result(labels.shape().inserted(labels.rank(), classes));
  for (Index i = 0; i < labels.size(); ++i) result[i * classes + static_cast<Index>(labels[i])] = 1;
  return result;
}

}  // namespace cornu::testing
