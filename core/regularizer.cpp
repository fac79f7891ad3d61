#include "cornu/core/regularizer.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

Regularizer::Regularizer(L1L2 both) : l1(both.l1), l2(both.l2) {
  require<ValueError>(std::isfinite(l1) && std::isfinite(l2) && l1 >= 0 && l2 >= 0,
                      "regularizer: l1 is {} and l2 is {}; they must be finite and not negative", l1, l2);
}

Var Regularizer::operator()(Var x) const {
  if (l2 == 0) return sum(abs(x)) * l1;
  if (l1 == 0) return sum(square(x)) * l2;
  return sum(abs(x)) * l1 + sum(square(x)) * l2;
}

Var Regularizer::add_loss(Var y) const {
  if (!*this) return y;
  Tape& tape = y.tape();
  const bool mixed = tape.mixes_samples();
  tape.add_loss((*this)(y) / std::max(y.shape()[0], Index{1}));  // 0 for an empty batch
  tape.set_mixes_samples(mixed);                                 // a mean over the samples, as the loss
  return y;
}

}  // namespace cornu
