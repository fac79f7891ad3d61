#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu::detail {

/// Throws ValueError, naming the callback, if the optimizer's learning rate is a schedule: setting a rate would replace
/// it for good.
void require_settable_rate(const char* callback, const Optimizer& optimizer);

}  // namespace cornu::detail
