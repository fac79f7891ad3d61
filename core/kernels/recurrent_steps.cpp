#include "cornu/core/kernels/recurrent_steps.h"

#include <algorithm>
#include <type_traits>

#include "cornu/core/kernels/quick_tanh.h"
#include "cornu/core/kernels/row_loops.h"
#include "cornu/core/kernels/vectorized.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu::detail {

namespace {

/// Units whose gates follow each other: blocks of `lanes` units, then one of half or a quarter as many, if that is
/// enough for the rest.
struct GateBlocks {
  Index full, last;  // the number of full blocks, and the units of the last one
  Index columns;     // of all blocks, whole vectors each

  GateBlocks(Index units, Index gates, Index lanes) {
    const Index rest = units % lanes;
    last = rest == 0 || rest > lanes / 2 ? 0 : rest > lanes / 4 ? lanes / 2 : lanes / 4;
    full = (units - rest) / lanes + (rest > lanes / 2 ? 1 : 0);
    columns = full * gates * lanes + (gates * last + lanes - 1) / lanes * lanes;
  }
};

/// What loops over gates do with a block of `width` units. Pointers are to the first unit of the block.
template <Index width>
struct GateLoops {
  /// The next c and h of an LSTM. gates: for tanh, or its results if they are `active`.
  template <bool active>
  [[gnu::always_inline]] static void lstm(const Real* __restrict gates, Real* __restrict c, Real* __restrict h,
                                          Real* __restrict y) {
#pragma GCC unroll 1  // otherwise g++ unrolls the loop before it could be vectorized
    for (Index j = 0; j < width; ++j) {
      const Real i = sigmoid_from_tanh(tanh_unless<active>(gates[j])),
                 f = sigmoid_from_tanh(tanh_unless<active>(gates[width + j])),
                 g = tanh_unless<active>(gates[2 * width + j]),
                 o = sigmoid_from_tanh(tanh_unless<active>(gates[3 * width + j]));
      const Real next = f * c[j] + i * g, result = o * quick_tanh(next);
      c[j] = next;
      h[j] = result;
      y[j] = result;
    }
  }

  /// The next h of a GRU. x, inner: the products with the input and with h. gates: the tanh of their sums for z and r
  /// if they are `active`.
  template <bool active>
  [[gnu::always_inline]] static void gru(const Real* __restrict x, const Real* __restrict inner,
                                         const Real* __restrict gates, Real* __restrict h, Real* __restrict y) {
#pragma GCC unroll 1
    for (Index j = 0; j < width; ++j) {
      const Real z = sigmoid_from_tanh(active ? gates[j] : quick_tanh(x[j] + inner[j])),
                 r = sigmoid_from_tanh(active ? gates[width + j] : quick_tanh(x[width + j] + inner[width + j])),
                 candidate = quick_tanh(x[2 * width + j] + r * inner[2 * width + j]),
                 result = candidate + z * (h[j] - candidate);
      h[j] = result;
      y[j] = result;
    }
  }

  /// x = tanh(x), and y = tanh(a + b).
  [[gnu::always_inline]] static void activate(Real* x) {
#pragma GCC unroll 1
    for (Index j = 0; j < width; ++j) x[j] = quick_tanh(x[j]);
  }
  [[gnu::always_inline]] static void activate_sum(const Real* __restrict a, const Real* __restrict b,
                                                  Real* __restrict y) {
#pragma GCC unroll 1
    for (Index j = 0; j < width; ++j) y[j] = quick_tanh(a[j] + b[j]);
  }

 private:
  template <bool active>
  [[gnu::always_inline]] static Real tanh_unless(Real x) {
    return active ? x : quick_tanh(x);
  }
};

/// Calls f with the width of the last block as a constant.
template <Index lanes, class F>
[[gnu::always_inline]] inline void with_last_block(Index width, F f) {
  if (width == lanes / 2) f(std::integral_constant<Index, lanes / 2>());
  if constexpr (lanes > 2) {
    if (width == lanes / 4) f(std::integral_constant<Index, lanes / 4>());
  }
}

Index lanes_of_this_processor() {
  Index lanes = 0;
  vectorized([&](auto bytes) { lanes = RowLoops<bytes>::lanes; });
  return lanes;
}

}  // namespace

Tensor packed_gates(ConstView numbers, std::span<const Real> scales) {
  const Index gates = std::ssize(scales), columns = numbers.shape()[-1], units = columns / gates,
              lanes = lanes_of_this_processor();
  const GateBlocks blocks(units, gates, lanes);
  Tensor result(Shape{numbers.size() / columns, blocks.columns});
  for (Index row = 0; row < result.shape()[0]; ++row) {
    const Real* const from = numbers.data() + row * columns;
    Real* const to = result.data() + row * blocks.columns;
    for (Index gate = 0; gate < gates; ++gate) {
      for (Index unit = 0; unit < units; ++unit) {
        const Index block = unit / lanes, width = block < blocks.full ? lanes : blocks.last;
        to[block * gates * lanes + gate * width + unit % lanes] =
            from[gate * units + unit] * scales[static_cast<std::size_t>(gate)];
      }
    }
  }
  return result;
}

// ---- LSTM ----

void LstmSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  if (activation != nullptr) return run_general(x, rows, state, scratch, y);
  vectorized([=, self = *this](auto bytes) {
    using Rows = RowLoops<bytes>;
    constexpr Index lanes = Rows::lanes;
    const Index u = self.units;
    const GateBlocks blocks(u, 4, lanes);
    Real *const h = state, *const c = state + self.width(), *const gates = scratch;
    const Real* in = x;
    Real* out = y;
    for (Index row = 0; row < rows; ++row, in += self.inputs, out += u) {
      Rows::product(
          {in, self.inputs, self.kernel, h, u, self.recurrent_kernel, self.bias, blocks.columns, blocks.columns},
          gates);
      Index unit = 0;
      for (; unit < blocks.full * lanes; unit += lanes) {
        GateLoops<lanes>::template lstm<false>(gates + 4 * unit, c + unit, h + unit, out + unit);
      }
      if (blocks.last == 0) continue;
      for (Index j = 4 * unit; j < blocks.columns; j += lanes) GateLoops<lanes>::activate(gates + j);
      with_last_block<lanes>(blocks.last, [&](auto width) {
        GateLoops<width>::template lstm<true>(gates + 4 * unit, c + unit, h + unit, out + unit);
      });
    }
  });
}

void LstmSteps::run_general(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  Real *const h = state, *const c = state + width();
  for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
    row_product({x, inputs, kernel, h, units, recurrent_kernel, bias, 4 * units}, scratch);
    recurrent_activation(scratch, 3 * units, scratch);
    activation(scratch + 3 * units, units, scratch + 3 * units);
    for (Index j = 0; j < units; ++j) c[j] = scratch[units + j] * c[j] + scratch[j] * scratch[3 * units + j];
    activation(c, units, h);
    for (Index j = 0; j < units; ++j) y[j] = h[j] *= scratch[2 * units + j];
  }
}

// ---- GRU ----

void GruSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  if (activation != nullptr) return run_general(x, rows, state, scratch, y);
  vectorized([=, self = *this](auto bytes) {
    using Rows = RowLoops<bytes>;
    constexpr Index lanes = Rows::lanes;
    const Index u = self.units;
    const GateBlocks blocks(u, 3, lanes);
    Real *const h = state, *const of_x = scratch, *const inner = scratch + 3 * self.width();
    const Real* in = x;
    Real* out = y;
    for (Index row = 0; row < rows; ++row, in += self.inputs, out += u) {
      Rows::product({in, self.inputs, self.kernel, nullptr, 0, nullptr, self.bias, blocks.columns, blocks.columns},
                    of_x);
      Rows::product(
          {h, u, self.recurrent_kernel, nullptr, 0, nullptr, self.recurrent_bias, blocks.columns, blocks.columns},
          inner);
      Index unit = 0;
      for (; unit < blocks.full * lanes; unit += lanes) {
        GateLoops<lanes>::template gru<false>(of_x + 3 * unit, inner + 3 * unit, nullptr, h + unit, out + unit);
      }
      if (blocks.last == 0) continue;
      Real gates[lanes];  // z and r fill at most a vector
      GateLoops<lanes>::activate_sum(of_x + 3 * unit, inner + 3 * unit, gates);
      with_last_block<lanes>(blocks.last, [&](auto width) {
        GateLoops<width>::template gru<true>(of_x + 3 * unit, inner + 3 * unit, gates, h + unit, out + unit);
      });
    }
  });
}

void GruSteps::run_general(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  Real *const gates = scratch, *const inner = scratch + 2 * width(), *const candidate = inner + width(),
              *const reset = candidate + width();
  for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
    row_product({x, inputs, gates_kernel, state, units, gates_recurrent, gates_bias, 2 * units}, gates);
    row_product({x, inputs, kernel, nullptr, 0, nullptr, bias, units}, candidate);
    recurrent_activation(gates, 2 * units, gates);
    for (Index j = 0; j < units; ++j) reset[j] = gates[units + j] * state[j];
    row_product({reset_after ? state : reset, units, recurrent_kernel, nullptr, 0, nullptr, recurrent_bias, units},
                inner);
    for (Index j = 0; j < units; ++j) candidate[j] += reset_after ? gates[units + j] * inner[j] : inner[j];
    activation(candidate, units, candidate);
    for (Index j = 0; j < units; ++j) y[j] = state[j] = gates[j] * state[j] + (1 - gates[j]) * candidate[j];
  }
}

// ---- SimpleRNN ----

void SimpleRnnSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
    const RowProduct product{x, inputs, kernel, state, units, recurrent_kernel, bias, units};
    if (activation != nullptr) {
      row_product(product, scratch);
      activation(scratch, units, state);
    } else {
      vectorized([=](auto bytes) {
        using Rows = RowLoops<bytes>;
        Rows::product(product, scratch);
        for (Index j = 0; j < product.columns; j += Rows::lanes) GateLoops<Rows::lanes>::activate(scratch + j);
        std::copy_n(scratch, product.columns, state);
      });
    }
    std::copy_n(state, units, y);
  }
}

}  // namespace cornu::detail

#pragma GCC diagnostic pop
