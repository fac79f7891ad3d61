#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

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

/// Throws ValueError for an index that is not a whole number in [low, n).
void require_whole(const char* who, ConstView indices, Index low, Index n) {
  for (Index i = 0; i < indices.size(); ++i) {
    const Real index = indices[i];
    if (!(index >= static_cast<Real>(low) && index < static_cast<Real>(n) && index == std::floor(index))) [[unlikely]] {
      throw ValueError(message("{}: index {} at {} of {}; whole numbers from {} to {} are required", who, index,
                               position(i, indices.shape()), indices.shape(), low, n - 1));
    }
  }
}

/// Elements at indices along an axis: those of `all`, whose axis has n positions, and one for each index.
struct Picked {
  AxisSplit split;  // of the indices
  Index n;
  const Real* indices;

  Picked(const char* who, Var all, Var given, Index axis) : split(given.shape(), axis), n(all.shape()[axis]) {
    require_whole(who, given.value(), -n, n);
    indices = given.value().data();
  }
  /// Calls f(i, position in `all`) for each index i.
  template <class F>
  void each(F f) const {
    for (Index o = 0, i = 0; o < split.outer; ++o) {
      for (Index j = 0; j < split.n; ++j) {
        for (Index k = 0; k < split.inner; ++k, ++i) {
          const auto index = static_cast<Index>(indices[i]);
          f(i, (o * n + (index < 0 ? index + n : index)) * split.inner + k);
        }
      }
    }
  }
};

}  // namespace

Var take(Operand table_operand, Var indices) {
  const Var table = table_operand.on(indices.tape());
  const Shape& shape = table.shape();
  require(shape.rank() > 0, "take: the table is a scalar, which has no rows");
  Shape taken = indices.shape();
  for (Index axis = 1; axis < shape.rank(); ++axis) taken = taken.inserted(taken.rank(), shape[axis]);
  const Index width = shape.sub(1).size();
  require_whole("take", indices.value(), 0, shape[0]);
  table.mix_samples();
  Var y = indices.tape().output(taken, {table, indices}, "take");
  y.masked_as(indices);
  const auto row_of = [=, which = indices.value().data()](Index i) { return static_cast<Index>(which[i]) * width; };
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

Var take_along_axis(Var x, Var indices, Index axis) {
  const Index at = x.along(axis);
  require(indices.rank() == x.rank() && indices.shape().with(at, 0) == x.shape().with(at, 0),
          "take_along_axis: x of shape {} and indices of shape {}; they must be equal except along axis {}", x.shape(),
          indices.shape(), at);
  const Picked picked("take_along_axis", x, indices, at);
  Var y = x.tape().output(indices.shape(), {x, indices}, {"take_along_axis", {{"axis", at}}});
  y.squashed_as(x);
  if (at >= 2) {
    y.masked_as(x);
    y.masked_as(indices);
  }
  picked.each([from = x.value().data(), to = y.out().data()](Index i, Index of_x) { to[i] = from[of_x]; });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);
      picked.each([g = y.grad().data(), to = dx.data()](Index i, Index of_x) { to[of_x] += g[i]; });
    }
  });
}

Var scatter_add(Var x, Var indices, Var updates, Index axis) {
  const Index at = x.along(axis);
  require(indices.shape() == updates.shape(), "scatter_add: indices of shape {} and updates of shape {} must be equal",
          indices.shape(), updates.shape());
  require(updates.rank() == x.rank() && updates.shape().with(at, 0) == x.shape().with(at, 0),
          "scatter_add: x of shape {} and updates of shape {}; they must be equal except along axis {}", x.shape(),
          updates.shape(), at);
  if (at == 0) {
    indices.mix_samples();
    updates.mix_samples();
  }
  const Picked picked("scatter_add", x, indices, at);
  Var y = x.tape().output(x.shape(), {x, indices, updates}, {"scatter_add", {{"axis", at}}});
  if (at >= 2) {
    for (const Var operand : {x, indices, updates}) y.masked_as(operand);
  }
  copy(x.value(), overwrite(y.out()));
  picked.each([from = updates.value().data(), to = y.out().data()](Index i, Index of_x) { to[of_x] += from[i]; });
  return y.backward([=] {
    if (Sink dx = x.sink()) copy(y.grad(), dx);
    if (Sink dupdates = updates.sink()) {
      picked.each([g = y.grad().data(), to = dupdates.data(), add = dupdates.accumulates()](Index i, Index of_x) {
        to[i] = (add ? to[i] : 0) + g[of_x];
      });
    }
  });
}

Var one_hot(Var indices, Index n) {
  require(n >= 0, "one_hot: {} positions; 0 or more are required", n);
  Var y = indices.tape().output(indices.shape().inserted(indices.rank(), n), {indices}, {"one_hot", {{"n", n}}});
  y.masked_as(indices);
  fill(y.out(), 0);
  for (Index i = 0; i < indices.size(); ++i) {
    const Real index = indices.value()[i];
    if (index >= 0 && index < static_cast<Real>(n) && index == std::floor(index)) {
      y.out()[i * n + static_cast<Index>(index)] = 1;
    }
  }
  return y.backward([=] {
    if (Sink dx = indices.sink()) assign(dx, [](Index) { return Real{0}; });
  });
}

Var detail::top_k_indices(Var x, Index k) {
  require(x.rank() > 0 && 0 <= k && k <= x.shape()[-1], "top_k: {} elements of each row of shape {}", k, x.shape());
  const Index n = x.shape()[-1];
  x.along(-1);
  Var y = x.tape().output(x.shape().with(-1, k), {x}, {"top_k_indices", {{"k", k}}});
  if (x.rank() > 2) y.masked_as(x);
  const std::span<Index> order = x.tape().memory<Index>(static_cast<std::size_t>(n));
  for (Index row = 0; row < x.size() / std::max(n, Index{1}); ++row) {
    const Real* const from = x.value().data() + row * n;
    std::iota(order.begin(), order.end(), Index{0});
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [from](Index a, Index b) {
      if (std::isnan(from[a]) != std::isnan(from[b])) return std::isnan(from[a]);
      return from[a] > from[b] || (!(from[a] < from[b]) && a < b);
    });
    std::transform(order.begin(), order.begin() + k, y.out().data() + row * k,
                   [](Index at) { return static_cast<Real>(at); });
  }
  return y.backward([=] {
    if (Sink dx = x.sink()) assign(dx, [](Index) { return Real{0}; });
  });
}

TopK top_k(Var x, Index k) {
  const Var indices = detail::top_k_indices(x, k);
  return {take_along_axis(x, indices, -1), indices};
}

}  // namespace cornu
