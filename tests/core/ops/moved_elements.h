#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/tests/core/ops/op_table.h"

/// Plain references of ops that move elements, and random cases for them.
namespace cornu::testing::indexing {

using At = std::vector<Index>;

inline Index flat_of(const At& at, const Shape& shape) {
  Index flat = 0;
  for (Index axis = 0; axis < shape.rank(); ++axis) flat = flat * shape[axis] + at[static_cast<std::size_t>(axis)];
  return flat;
}

inline At place_of(Index flat, const Shape& shape) {
  At at(static_cast<std::size_t>(shape.rank()));
  for (Index axis = shape.rank(); axis-- > 0; flat /= shape[axis])
    at[static_cast<std::size_t>(axis)] = flat % shape[axis];
  return at;
}

/// The element of x at f(coordinates of the result), or `fill` where f returns none.
inline Exact moved(const Exact& x, const Shape& shape, const std::function<std::optional<At>(At)>& f,
                   long double fill = 0) {
  Exact y(shape);
  for (Index i = 0; i < shape.size(); ++i) {
    const std::optional<At> from = f(place_of(i, shape));
    y.values[static_cast<std::size_t>(i)] = from ? x.values[static_cast<std::size_t>(flat_of(*from, x.shape))] : fill;
  }
  return y;
}

template <class F>
Sample sample_of(const std::string& what, const std::vector<Shape>& inputs, F f,
                 const std::function<Exact(std::span<const Exact>)>& expected) {
  return {what, inputs, [f](std::span<const Var> x) { return f(x); }, [f](std::span<const Tensor> x) { return f(x); },
          expected};
}

/// A tensor beside a value, on a tape or not.
inline Var beside(Var x, const Tensor& tensor) { return x.tape().constant(tensor); }
inline const Tensor& beside(const Tensor&, const Tensor& tensor) { return tensor; }

struct Random {
  Rng rng;
  explicit Random(std::uint64_t seed) : rng(seed) {}

  /// From low to high.
  Index between(Index low, Index high) { return low + rng.below(high - low + 1); }
  Shape shape(Index least_rank = 1, Index smallest = 1) {
    Shape result;
    const Index rank = between(least_rank, 4);
    for (Index axis = 0; axis < rank; ++axis) result = result.inserted(axis, between(smallest, 4));
    return result;
  }
  /// Counted from the start or from the end.
  Index axis(const Shape& shape) { return between(-shape.rank(), shape.rank() - 1); }
  Tensor indices(const Shape& shape, Index low, Index high) {
    Tensor result(shape);
    for (Real& each : result) each = static_cast<Real>(between(low, high));
    return result;
  }
};

inline constexpr std::uint64_t random_samples = 12;

inline std::size_t counted(Index axis, const Shape& shape) {
  return static_cast<std::size_t>(axis < 0 ? axis + shape.rank() : axis);
}

}  // namespace cornu::testing::indexing
