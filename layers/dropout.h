#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// In training, each number is dropped (becomes 0) with probability `rate`, and the others are divided by 1 - rate, so
/// that the expectation stays (Srivastava et al., 2014, inverted). In inference, and at rate 0, x itself.
/// Any shape. Which numbers are dropped depends on nothing but the tape's rng. A dropped NaN stays NaN, and a dropped
/// infinity becomes NaN.
/// Throws ValueError unless 0 <= rate < 1.
struct Dropout {
  double rate = 0.5;

  void options(auto& visit) { visit("rate", rate); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
