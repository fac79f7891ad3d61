#include "cornu/optim/losses/mean_over_rows.h"

#include <algorithm>
#include <array>

#include "cornu/core/kernels/kernels.h"

namespace cornu::detail {

namespace {

constexpr Index block_size = 4096;  // elements: keeps the data of several loops in the L1 cache
constexpr Index most_rows = 256;    // per block
using RowLosses = std::array<double, most_rows>;

void scale(Real* slopes, Index n, double factor) {
  transform(slopes, n, [by = static_cast<Real>(factor)](Real slope) { return slope * by; });
}

/// dx = g * slopes. A separate function, so that it is compiled once and not for every loss.
void hand_on(Real g, const Real* slopes, const Sink& dx) {
  assign(dx, [=](Index i) { return g * slopes[i]; });
}

}  // namespace

Index losses_per_weight(const char* name, const Shape& losses, ConstView weights) {
  Shape shape = weights.shape();
  while (shape.rank() > 0 && shape[-1] == 1) shape = shape.without(-1);
  require(shape.rank() <= losses.rank() && shape == losses.sub(0, shape.rank()),
          "{}: sample weights are {} and losses {}; one weight for each sample or for each loss is required", name,
          weights.shape(), losses);
  return losses.size() / weights.size();
}

Var mean_over_rows(const char* name, Var x, const Shape& rows, Index width, ConstView weights, const RowBlock& block) {
  const Index count = rows.size(), per_weight = weights.size() == 0 ? 1 : losses_per_weight(name, rows, weights);
  require_weights(name, weights);
  Var y = x.tape().output({}, {x});
  const Index size = std::min(std::clamp(block_size / width, Index{1}, most_rows), count);
  const bool keeps_slopes = x.wants_gradient();
  Real* const slopes = x.tape().scratch({(keeps_slopes ? count : size) * width}).data();
  double total = 0;
  RowLosses losses;
  for (Index first = 0; first < count; first += size) {
    const Index end = std::min(first + size, count);
    Real* const slope = slopes + (keeps_slopes ? first * width : 0);
    block(first, end - first, x.value().data() + first * width, slope, losses.data());
    for (Index r = first; r < end; ++r) {
      const double weight = weights.size() == 0 ? 1 : static_cast<double>(weights[r / per_weight]);
      total += weight / static_cast<double>(count) * losses[static_cast<std::size_t>(r - first)];
    }
    if (!keeps_slopes) continue;
    if (weights.size() == 0) {
      scale(slope, (end - first) * width, 1 / static_cast<double>(count));
    } else {
      for (Index r = first; r < end; ++r) {
        scale(slope + (r - first) * width, width,
              static_cast<double>(weights[r / per_weight]) / static_cast<double>(count));
      }
    }
  }
  y.out()[0] = static_cast<Real>(total);
  return y.backward([=] {
    if (Sink dx = x.sink()) hand_on(y.grad()[0], slopes, dx);
  });
}

}  // namespace cornu::detail
