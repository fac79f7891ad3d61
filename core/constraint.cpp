#include "cornu/core/constraint.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"

namespace cornu {

Constraint::Constraint(MaxNorm norm) : max_norm(norm.max_value), axis(norm.axis) {
  require<ValueError>(max_norm >= 0, "MaxNorm: max_value is {}; it must not be negative", max_norm);
}

void Constraint::operator()(View w) const {
  if (non_negative) {
    for (Real& value : w) value = value < 0 ? 0 : value;  // NaN stays
  }
  if (!limits_norm()) return;
  const Shape& shape = w.shape();
  const Index first = shape.normalized(axis.first), last = shape.normalized(axis.last);
  require(first <= last, "constraint: axes {} to {} of a weight of shape {}; the first axis must not be after the last",
          axis.first, axis.last, shape);
  const Index before = shape.sub(0, first).size(), along = shape.sub(first, last + 1).size(),
              after = shape.sub(last + 1).size();
  constexpr Index together = 64;  // norms computed at a time, so that memory is read in order
  std::array<double, together> squares;
  for (Index i = 0; i < before; ++i) {
    for (Index k = 0; k < after; k += together) {
      const Index count = std::min(together, after - k);
      Real* const corner = w.data() + i * along * after + k;
      squares.fill(0);
      for (Index j = 0; j < along * count; ++j) {
        const auto value = static_cast<double>(corner[j / count * after + j % count]);
        squares[static_cast<std::size_t>(j % count)] += value * value;
      }
      for (double& square : squares) {  // replaced by the scaling factor
        const double norm = std::sqrt(square);
        square = std::clamp(norm, min_norm, max_norm) / (1e-7 + norm);
      }
      for (Index j = 0; j < along * count; ++j) {
        Real& value = corner[j / count * after + j % count];
        value = static_cast<Real>(static_cast<double>(value) * squares[static_cast<std::size_t>(j % count)]);
      }
    }
  }
}

}  // namespace cornu
