#pragma once

#include "cornu/optim/losses/losses.h"

namespace cornu::detail {

/// The probabilities of a model whose loss takes logits: sigmoid(outputs), of margins too, or softmax(outputs) over the
/// last axis, kept in `memory`. The outputs themselves where the loss takes no logits. Warm, it allocates nothing.
ConstView probabilities(Logits logits, ConstView outputs, Tensor& memory);

}  // namespace cornu::detail
