#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

/// The indices of element i, such as "(2, 0)".
std::string position(Index i, const Shape& shape) {
  std::array<Index, Shape::max_rank> at{};
  for (Index axis = shape.rank() - 1; axis >= 0; --axis) {
    at[static_cast<std::size_t>(axis)] = i % shape[axis];
    i /= shape[axis];
  }
  return to_string(std::span<const Index>(at).first(static_cast<std::size_t>(shape.rank())));
}

}  // namespace

Var take(Operand table_operand, Var indices) {
  const Var table = table_operand.on(indices.tape());
  const Shape& shape = table.shape();
  require(shape.rank() > 0, "take: the table is a scalar, which has no rows");
  Shape taken = indices.shape();
  for (Index axis = 1; axis < shape.rank(); ++axis) taken = taken.inserted(taken.rank(), shape[axis]);
  const Index rows = shape[0], width = shape.sub(1).size();
  const Real* const which = indices.value().data();
  for (Index i = 0; i < indices.size(); ++i) {
    if (!(which[i] >= 0 && which[i] < static_cast<Real>(rows) && which[i] == std::floor(which[i]))) [[unlikely]] {
      throw ValueError(message("take: index {} at {} of {}; whole numbers from 0 to {} are required", which[i],
                               position(i, indices.shape()), indices.shape(), rows - 1));
    }
  }
  table.mix_samples();
  Var y = indices.tape().output(taken, {table, indices}, "take");
  y.masked_as(indices);
  const auto row_of = [=](Index i) { return static_cast<Index>(which[i]) * width; };
  for (Index i = 0; i < indices.size(); ++i) {
    std::copy_n(table.value().data() + row_of(i), width, y.out().data() + i * width);
  }
  return y.backward([=] {
    if (Sink dtable = table.sink()) {
      if (!dtable.accumulates()) fill(dtable.view(), 0);
      const Real* const g = y.grad().data();
      for (Index i = 0; i < indices.size(); ++i) {
        assign(dtable.data() + row_of(i), width, true, [from = g + i * width](Index j) { return from[j]; });
      }
    }
  });
}

}  // namespace cornu
