#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

/// CumSum and CumProd.
namespace cornu::onnx::detail {

namespace {

struct Direction {
  Index axis;
  CumsumOptions options;

  explicit Direction(const Call& call)
      : options{.exclusive = call.integer("exclusive", 0) != 0, .reverse = call.integer("reverse", 0) != 0} {
    const std::span<const Index> given = call.integers(1);
    require<FormatError>(given.size() == 1, "an axis of shape {}; one number is required", call.shape(1));
    axis = axis_of(given[0], call.shape(0));
  }
};

/// The results of f(so far, element), computed with 64 bits, from `first` on.
template <class F>
void accumulate(Call& call, const Direction& way, Index first, F f) {
  const Value& x = call.value(0);
  const std::span<Index> y = call.memory<Index>(x.numbers().size());
  const AxisSplit split(x.whole, way.axis);
  for (Index o = 0; o < split.outer; ++o) {
    for (Index i = 0; i < split.inner; ++i) {
      Index so_far = first;
      for (Index j = 0; j < split.n; ++j) {
        const Index at = (o * split.n + (way.options.reverse ? split.n - 1 - j : j)) * split.inner + i;
        if (way.options.exclusive) y[static_cast<std::size_t>(at)] = wrapped(x.type, so_far);
        if (way.options.exclusive && j == split.n - 1) break;  // the rest is not needed, and might overflow
        so_far = f(so_far, x.integers[at]);
        if (!way.options.exclusive) y[static_cast<std::size_t>(at)] = wrapped(x.type, so_far);
      }
    }
  }
  call.integer_result(0, x.type, x.whole, y);
}

void run_cumsum(Call& call) {
  const Direction way(call);
  if (call.is_real()) return call.result(cornu::cumsum(call[0], way.axis, way.options));
  accumulate(call, way, 0, [](Index a, Index b) {
    Index sum = 0;
    require<ValueError>(!__builtin_add_overflow(a, b, &sum), "its integers overflow 64 bits");
    return sum;
  });
}

/// x with its positions along the axis moved by `shift` in the direction of the products, and ones moved in.
Var shifted(Var x, const Direction& way, Index shift) {
  const Index n = x.shape()[way.axis];
  const std::span<Index> positions = counted(x.tape(), n);
  for (Index& position : positions) {
    position += way.options.reverse ? shift : -shift;
    if (position < 0 || position >= n) position = -1;
  }
  return take(x, way.axis, positions, 1);
}

/// Step k multiplies each element by the one 2^k before it, so that log2(n) steps give the products of all.
void cumulative_product(Call& call) {
  const Direction way(call);
  if (call.is_real()) {
    Var y = way.options.exclusive ? shifted(call[0], way, 1) : call[0];
    for (Index shift = 1; shift < y.shape()[way.axis]; shift *= 2) y = y * shifted(y, way, shift);
    return call.result(y);
  }
  accumulate(call, way, 1, [](Index a, Index b) {
    Index product = 0;
    require<ValueError>(!__builtin_mul_overflow(a, b, &product), "its integers overflow 64 bits");
    return product;
  });
}

}  // namespace

std::span<const Op> cumulative_ops() {
  constexpr std::string_view attributes = "exclusive reverse ";
  static constexpr Op ops[] = {
      {.name = "CumProd",
       .since = 26,
       .inputs = {2, 2},
       .attributes = attributes,
       .takes = numbers,
       .run = cumulative_product},
      {.name = "CumSum", .since = 11, .inputs = {2, 2}, .attributes = attributes, .takes = numbers, .run = run_cumsum},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
