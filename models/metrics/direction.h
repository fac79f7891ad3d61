#pragma once

#include "cornu/core/compiler.h"

namespace cornu {

/// Whether larger (up) or smaller (down) values of a metric are better; `unknown` if it does not declare a direction.
enum class Direction { unknown, up, down };

}  // namespace cornu
