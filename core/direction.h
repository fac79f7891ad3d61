#pragma once

#include "cornu/core/compiler.h"

namespace cornu {

/// Whether larger or smaller values of a metric, or of a loss used as one, are better; `unknown` if it does not say.
enum class Direction { unknown, up, down };

}  // namespace cornu
