#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// In training, sets each element to 0 with probability `rate` and divides the others by 1 - rate, which keeps the
/// expectation (inverted dropout, Srivastava et al., 2014). In inference, and at rate 0, returns x.
/// Any shape. The mask depends only on the tape's rng. A dropped NaN stays NaN; a dropped infinity becomes NaN.
/// Throws ValueError unless 0 <= rate < 1.
struct Dropout {
  double rate = 0.5;

  void options(auto& visit) { visit("rate", rate); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
