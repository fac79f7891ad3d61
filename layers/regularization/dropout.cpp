#include "cornu/layers/regularization/dropout.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/dropout_mask.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

namespace {

void require_rate(double rate) {
  require<ValueError>(rate >= 0 && rate < 1, "Dropout: rate is {}; at least 0 and less than 1 is required", rate);
}

}  // namespace

Shape Dropout::build(const Shape& input, Rng&) {
  require_rate(rate);
  return input;
}

Var Dropout::forward(Var x) const {
  require_rate(rate);
  Tape& tape = x.tape();
  if (!tape.training() || rate == 0) return x;
  const View mask = tape.scratch(x.shape());
  detail::fill_dropout_mask(mask, rate, tape.rng());
  const Real* const kept = mask.data();
  Var y = tape.output(x.shape(), {x});
  multiply(x.value().data(), kept, overwrite(y.out()));
  y.masked_as(x);
  y.squashed_as(x);  // inference returns x, so losses must treat y as x in training too
  return y.backward([=] {
    if (Sink dx = x.sink()) multiply(y.grad().data(), kept, dx);
  });
}

}  // namespace cornu
