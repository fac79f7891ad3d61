#pragma once

#include <cstddef>
#include <span>

#include "cornu/core/tensor.h"

namespace cornu::testing {

/// The example in dataset.h: is an 8-bit number odd?
struct Parity {
  Index size() const { return 256; }
  Shape feature_shape() const { return {8}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) x[static_cast<Index>(i) * 8 + bit] = static_cast<Real>(rows[i] >> bit & 1);
      y[static_cast<Index>(i)] = static_cast<Real>(rows[i] & 1);
    }
  }
};

}  // namespace cornu::testing
