#pragma once

#include <span>

#include "cornu/core/kernels/team.h"
#include "cornu/optim/optimizer.h"

namespace cornu::detail {

/// The same as optimizer.step(parts), with the work shared by a team; null for none. The result depends on the parts,
/// and not on how many threads share the work. Not a member that users see: core/kernels/team.h is not installed.
void step(Optimizer& optimizer, std::span<const Gradients> parts, Team* team);

}  // namespace cornu::detail
