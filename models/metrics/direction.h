#pragma once

#include "cornu/core/compiler.h"

namespace cornu {

/// Whether a metric is better when it goes up or down. `unknown`: it does not say.
enum class Direction { unknown, up, down };

}  // namespace cornu
