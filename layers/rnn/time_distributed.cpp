#include "cornu/layers/rnn/time_distributed.h"

#include "cornu/core/error.h"

namespace cornu {

Shape TimeDistributed::build(const Shape& input, Rng& rng) {
  require(input.rank() > 1, "TimeDistributed: a sample of shape {}; (steps, features...) is required", input);
  const Shape output = layer.build(input.sub(1), rng);
  if (layer.name().empty()) layer.rename(layer.default_name());
  return output.inserted(0, input[0]);
}

Var TimeDistributed::forward(Var x) const {
  const Shape& s = x.shape();
  require(s.rank() > 2, "TimeDistributed: an input of shape {}; (batch, steps, features...) is required", s);
  static_cast<void>(x.mask());  // the result has it
  const Var steps = steps_as_samples(x), y = layer.forward(steps);
  require(y.rank() > 0 && y.shape()[0] == steps.shape()[0],
          "TimeDistributed: its layer returned shape {} for {}; the first axis must remain the batch axis", y.shape(),
          steps.shape());
  const Var result = reshape(y, y.shape().sub(1).batched(s[1]).batched(s[0]));
  result.masked_as(x);
  return result;
}

NamedLayers TimeDistributed::layers() { return {{layer.name().empty() ? layer.default_name() : layer.name(), &layer}}; }

}  // namespace cornu
