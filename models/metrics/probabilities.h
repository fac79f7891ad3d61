#pragma once

#include "cornu/optim/losses/losses.h"

namespace cornu::detail {

/// Probabilities from the outputs of a model whose loss takes logits: sigmoid(outputs), also for margins, or
/// softmax(outputs) over the last axis, stored in `memory`. Returns the outputs unchanged if the loss takes no logits.
/// Warm, it allocates nothing.
ConstView probabilities(Logits logits, ConstView outputs, Tensor& memory);

}  // namespace cornu::detail
