#include "cornu/core/kernels/sequence_steps.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/kernels/vector_types.h"
#include "cornu/core/kernels/vectorized.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu::detail {

Tensor padded_part(ConstView matrix, Index first, Index count) {
  const Index columns = matrix.shape()[-1], rows = matrix.size() / columns, width = padded_columns(count);
  Tensor result(Shape{rows, width});
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(matrix.data() + i * columns + first, count, result.data() + i * width);
  }
  return result;
}

namespace {

/// out = bias + a A + b B, for rows a and b of numbers and matrices with padded rows. Whole vectors are computed.
struct RowProduct {
  const Real* a = nullptr;
  Index a_count = 0;
  const Real* a_matrix = nullptr;
  const Real* b = nullptr;
  Index b_count = 0;
  const Real* b_matrix = nullptr;
  const Real* bias = nullptr;  // or null
  Index columns = 0;
  Index step = padded_columns(columns);  // from row to row of the matrices
};

template <int bytes>
struct RowLoops {
  using Vector = detail::Vector<bytes>;
  static constexpr Index lanes = bytes / static_cast<Index>(sizeof(Real));

  template <Index vectors, Index sets>
  [[gnu::always_inline]] static void add(const Real* x, Index count, const Real* matrix, Index step,
                                         Vector (&sums)[sets][vectors]) {
    Index k = 0;
    for (; k + sets <= count; k += sets, matrix += sets * step) {
#pragma GCC unroll 16
      for (Index s = 0; s < sets; ++s) {
#pragma GCC unroll 16
        for (Index v = 0; v < vectors; ++v) {
          Vector row;
          load(row, matrix + s * step + v * lanes);
          sums[s][v] += x[k + s] * row;
        }
      }
    }
    for (; k < count; ++k, matrix += step) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) {
        Vector row;
        load(row, matrix + v * lanes);
        sums[0][v] += x[k] * row;
      }
    }
  }

  /// `vectors` registers of columns from `first` on. Few of them are summed in several parts, to hide the latency.
  template <Index vectors>
  [[gnu::always_inline]] static void part(const RowProduct& p, Index first, Real* out) {
    constexpr Index sets = vectors > 4 ? 1 : vectors > 2 ? 2 : 4;
    Vector sums[sets][vectors] = {};
    if (p.bias != nullptr) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) load(sums[0][v], p.bias + first + v * lanes);
    }
    add(p.a, p.a_count, p.a_matrix + first, p.step, sums);
    if (p.b_count > 0) add(p.b, p.b_count, p.b_matrix + first, p.step, sums);
#pragma GCC unroll 16
    for (Index s = 1; s < sets; ++s) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) sums[0][v] += sums[s][v];
    }
#pragma GCC unroll 16
    for (Index v = 0; v < vectors; ++v) store(sums[0][v], out + first + v * lanes);
  }

  [[gnu::always_inline]] static void product(const RowProduct& p, Real* out) {
    const Index all = whole(p.columns);
    Index first = 0;
    for (; first + 8 * lanes <= all; first += 8 * lanes) part<8>(p, first, out);
    if (first + 4 * lanes <= all) {
      part<4>(p, first, out);
      first += 4 * lanes;
    }
    if (first + 2 * lanes <= all) {
      part<2>(p, first, out);
      first += 2 * lanes;
    }
    if (first < all) part<1>(p, first, out);
  }

  /// Rounded up to whole vectors.
  static constexpr Index whole(Index columns) { return (columns + lanes - 1) / lanes * lanes; }
};

/// 1 / (1 + e^-x) within 1e-7, with about half of the instructions of math::sigmoid. e^-x = 2^k e^r, |r| <= ln(2) / 2.
template <class T>
[[gnu::always_inline]] inline T logistic(T x) {
  if constexpr (sizeof(T) != sizeof(float)) {
    return math::sigmoid(x);
  } else {
    x = x < -87 ? T(-87) : x;
    x = x > 87 ? T(87) : x;
    constexpr T shift = T(12582912);  // 1.5 * 2^23: leaves k in the last bits
    const T shifted = x * T(-1.44269504) + shift, k = shifted - shift;
    const T r = (-x - k * T(0.693359375)) + k * T(2.12194440e-4);
    T series = T(1.0 / 5040);
    for (const T divisor : {T(720), T(120), T(24), T(6), T(2), T(1), T(1)}) series = series * r + 1 / divisor;
    const T power = std::bit_cast<T>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
    return 1 / (1 + series * power);
  }
}

/// tanh within 1e-7, also of itself where it is small.
[[gnu::always_inline]] inline Real quick_tanh(Real x) {
  if (sizeof(Real) != sizeof(float)) return math::tanh(x);
  const Real square = x * x, far = 2 * logistic(2 * x) - 1;
  const Real near =
      x * (((((Real(-1382.0 / 155925) * square + Real(62.0 / 2835)) * square + Real(-17.0 / 315)) * square +
             Real(2.0 / 15)) *
                square +
            Real(-1.0 / 3)) *
               square +
           1);
  return square < Real(0.09) ? near : far;
}

}  // namespace

void row_product(const Real* x, Index count, const Real* matrix, Index step, const Real* bias, Index columns,
                 Real* out) {
  const RowProduct product{x, count, matrix, nullptr, 0, nullptr, bias, columns, step};
  vectorized([=](auto bytes) { RowLoops<bytes>::product(product, out); });
}

// ---- LSTM ----

void LstmSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  Real *const h_of_all = state, *const c_of_all = state + width(), *const gates_of_all = scratch;
  if (activation != nullptr) {
    for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
      const RowProduct products{x, inputs, kernel, state, units, recurrent_kernel, bias, 4 * units};
      vectorized([=](auto bytes) { RowLoops<bytes>::product(products, gates_of_all); });
      recurrent_activation(scratch, 3 * units, scratch);
      activation(scratch + 3 * units, units, scratch + 3 * units);
      for (Index j = 0; j < units; ++j) {
        c_of_all[j] = scratch[units + j] * c_of_all[j] + scratch[j] * scratch[3 * units + j];
      }
      activation(c_of_all, units, h_of_all);
      for (Index j = 0; j < units; ++j) y[j] = h_of_all[j] *= scratch[2 * units + j];
    }
    return;
  }
  vectorized([=, self = *this](auto bytes) {
    using Loops = RowLoops<bytes>;
    const Real* in = x;
    Real* out = y;
    const Index u = self.units, all = Loops::whole(u);
    Real *const gates = gates_of_all, *const h = h_of_all, *const c = c_of_all;
    for (Index row = 0; row < rows; ++row, in += self.inputs, out += u) {
      Loops::product({in, self.inputs, self.kernel, h, u, self.recurrent_kernel, self.bias, 4 * u}, gates);
      // Elements beyond u are garbage that nothing reads.
#pragma GCC ivdep
      for (Index j = 0; j < all; ++j) {
        const Real next = logistic(gates[u + j]) * c[j] + logistic(gates[j]) * quick_tanh(gates[3 * u + j]);
        c[j] = next;
        h[j] = logistic(gates[2 * u + j]) * quick_tanh(next);
      }
      for (Index j = 0; j < u; ++j) out[j] = h[j];
    }
  });
}

// ---- GRU ----

void GruSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  Real *const inner = scratch + padded_columns(2 * units), *const candidate = inner + width(),
              *const reset = candidate + width();
  const bool usual = activation == nullptr;
  for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
    const RowProduct of_gates{x, inputs, gates_kernel, state, units, gates_recurrent, gates_bias, 2 * units},
        of_input{x, inputs, kernel, nullptr, 0, nullptr, bias, units},
        of_state{reset_after ? state : reset, units, recurrent_kernel, nullptr, 0, nullptr, recurrent_bias, units};
    if (usual && reset_after) {
      vectorized([=, u = units](auto bytes) {
        using Loops = RowLoops<bytes>;
        Loops::product(of_gates, scratch);
        Loops::product(of_input, candidate);
        Loops::product(of_state, inner);
        const Index all = Loops::whole(u);
        for (Index j = 0; j < Loops::whole(2 * u); ++j) scratch[j] = logistic(scratch[j]);
#pragma GCC ivdep
        for (Index j = 0; j < all; ++j) {
          const Real keep = scratch[j];
          state[j] = keep * state[j] + (1 - keep) * quick_tanh(candidate[j] + scratch[u + j] * inner[j]);
        }
      });
    } else {
      vectorized([=](auto bytes) {
        RowLoops<bytes>::product(of_gates, scratch);
        RowLoops<bytes>::product(of_input, candidate);
      });
      recurrent_activation(scratch, 2 * units, scratch);
      for (Index j = 0; j < units; ++j) reset[j] = scratch[units + j] * state[j];
      vectorized([=](auto bytes) { RowLoops<bytes>::product(of_state, inner); });
      for (Index j = 0; j < units; ++j) candidate[j] += reset_after ? scratch[units + j] * inner[j] : inner[j];
      activation(candidate, units, candidate);
      for (Index j = 0; j < units; ++j) state[j] = scratch[j] * state[j] + (1 - scratch[j]) * candidate[j];
    }
    std::copy_n(state, units, y);
  }
}

// ---- SimpleRNN ----

void SimpleRnnSteps::run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const {
  for (Index row = 0; row < rows; ++row, x += inputs, y += units) {
    const RowProduct products{x, inputs, kernel, state, units, recurrent_kernel, bias, units};
    vectorized([=, usual = activation == nullptr](auto bytes) {
      RowLoops<bytes>::product(products, scratch);
      if (!usual) return;
      for (Index j = 0; j < RowLoops<bytes>::whole(products.columns); ++j) state[j] = quick_tanh(scratch[j]);
    });
    if (activation != nullptr) activation(scratch, units, state);
    std::copy_n(state, units, y);
  }
}

// ---- Attention ----

void AttentionSteps::run(const Real* q, const Real* k, const Real* v, Index rows, Real* state, Real* scratch,
                         Real* y) const {
  const Index slots = padded_columns(window), key_row = heads * key_size, value_row = heads * value_size;
  Real *const keys = state, *const values = state + key_row * slots, *const counts = values + window * value_row;
  const Real scale = 1 / std::sqrt(static_cast<Real>(key_size));
  for (Index row = 0; row < rows; ++row, q += key_row, k += key_row, v += value_row, y += value_row) {
    const auto place = static_cast<Index>(counts[1]), known = std::min(static_cast<Index>(counts[0]) + 1, window);
    for (Index i = 0; i < key_row; ++i) keys[i * slots + place] = k[i];
    std::copy_n(v, value_row, values + place * value_row);
    counts[0] = static_cast<Real>(known);
    counts[1] = static_cast<Real>(place + 1 == window ? 0 : place + 1);
    vectorized([=, self = *this] {
      for (Index head = 0; head < self.heads; ++head) {
        const Real *const query = q + head * self.key_size, *const of_head = keys + head * self.key_size * slots;
        for (Index s = 0; s < known; ++s) scratch[s] = 0;
        for (Index i = 0; i < self.key_size; ++i) {
          const Real number = query[i] * scale;
          const Real* const key = of_head + i * slots;
#pragma GCC ivdep
          for (Index s = 0; s < known; ++s) scratch[s] += number * key[s];
        }
        Real peak = scratch[0], sum = 0;
        for (Index s = 1; s < known; ++s) peak = scratch[s] > peak || scratch[s] != scratch[s] ? scratch[s] : peak;
        for (Index s = 0; s < known; ++s) scratch[s] = math::exp(scratch[s] - peak);
        for (Index s = 0; s < known; ++s) sum += scratch[s];
        Real* const out = y + head * self.value_size;
        for (Index i = 0; i < self.value_size; ++i) out[i] = 0;
        for (Index s = 0; s < known; ++s) {
          const Real weight = scratch[s] / sum;
          const Real* const value = values + s * value_row + head * self.value_size;
#pragma GCC ivdep
          for (Index i = 0; i < self.value_size; ++i) out[i] += weight * value[i];
        }
      }
    });
  }
}

}  // namespace cornu::detail

#pragma GCC diagnostic pop
