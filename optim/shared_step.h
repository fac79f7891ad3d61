#pragma once

#include <span>

#include "cornu/core/kernels/team.h"
#include "cornu/optim/optimizer.h"

namespace cornu::detail {

/// optimizer.step(parts), with the work shared by `team` unless it is null. The result depends on the parts, not
/// on the number of threads. Not a public member, because core/kernels/team.h is not installed.
void step(Optimizer& optimizer, std::span<const Gradients> parts, detail::Team* team);

}  // namespace cornu::detail
