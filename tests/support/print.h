#pragma once

#include <ostream>

#include "cornu/core/tensor.h"

namespace cornu {

/// Prints tensors in GoogleTest's messages.
inline void PrintTo(const Shape& shape, std::ostream* out) { *out << to_string(shape); }
inline void PrintTo(const Tensor& tensor, std::ostream* out) {
  *out << to_string(tensor) << " of shape " << to_string(tensor.shape());
}

}  // namespace cornu
