#pragma once

#include "cornu/optim/losses/losses.h"

namespace cornu::detail {

/// Converts the outputs of a model whose loss takes logits to probabilities: sigmoid(outputs), also for margins, or
/// softmax(outputs) over the last axis. The result is stored in `memory`. For Logits::none, returns the outputs
/// themselves. Allocates nothing once warm.
ConstView probabilities(Logits logits, ConstView outputs, Tensor& memory);

}  // namespace cornu::detail
