#pragma once

#include "cornu/core/compiler.h"

namespace cornu {

/// The better direction of a metric, or of a loss used as a metric. `unknown`: not declared.
enum class Direction { unknown, up, down };

}  // namespace cornu
