#pragma once

#include <functional>

#include "cornu/core/autodiff/tape.h"

namespace cornu::tool {

/// The multiplications with an addition of the matrix products, convolutions and recurrent layers of a pass.
Index multiply_adds(const std::function<void(Tape&)>& pass);

}  // namespace cornu::tool
