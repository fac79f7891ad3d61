#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"

namespace cornu::testing {

/// What a recurrent layer computes, one number at a time, from the formulas in core/ops/sequences.h.
struct ReferenceRnn {
  std::string_view type;  // "LSTM", "GRU" or "SimpleRNN"
  Tensor kernel, recurrent_kernel, bias;
  bool return_sequences = false, go_backwards = false, reset_after = true;
  Tensor h{}, c{};            // initial states; empty: zeros
  Tensor x_mask{}, h_mask{};  // (batch, features), (batch, units); empty: ones

  struct Output {
    Tensor y, h, c;
  };
  Output operator()(const Tensor& x) const {
    const Index batch = x.shape()[0], steps = x.shape()[1], units = recurrent_kernel.shape()[0];
    Output out{Tensor(return_sequences ? Shape{batch, steps, units} : Shape{batch, units}), Tensor({batch, units}),
               Tensor({batch, units})};
    for (Index sample = 0; sample < batch; ++sample) {
      std::vector<double> state(static_cast<std::size_t>(units)), cell(state);
      for (Index j = 0; j < units; ++j) {
        state[at(j)] = element(h, sample * units + j, 0);
        cell[at(j)] = element(c, sample * units + j, 0);
      }
      for (Index turn = 0; turn < steps; ++turn) {
        const Index step = go_backwards ? steps - 1 - turn : turn;
        advance(x, sample, step, state, cell);
        for (Index j = 0; j < units && return_sequences; ++j) {
          out.y.at({sample, turn, j}) = static_cast<Real>(state[at(j)]);
        }
      }
      for (Index j = 0; j < units; ++j) {
        out.h.at({sample, j}) = static_cast<Real>(state[at(j)]);
        out.c.at({sample, j}) = static_cast<Real>(cell[at(j)]);
        if (!return_sequences) out.y.at({sample, j}) = static_cast<Real>(state[at(j)]);
      }
    }
    return out;
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
  static double element(const Tensor& t, Index i, double otherwise) {
    return t.size() == 0 ? otherwise : static_cast<double>(t[i]);
  }
  static double sigmoid_of(double v) { return 1 / (1 + std::exp(-v)); }

  void advance(const Tensor& x, Index sample, Index step, std::vector<double>& state, std::vector<double>& cell) const {
    const Index units = recurrent_kernel.shape()[0], width = kernel.shape()[1], features = kernel.shape()[0];
    const auto of_input = [&](Index gate, Index j) {
      double sum = element(bias, gate * units + j, 0);
      for (Index i = 0; i < features; ++i) {
        sum += static_cast<double>(kernel.at({i, gate * units + j})) * static_cast<double>(x.at({sample, step, i})) *
               element(x_mask, sample * features + i, 1);
      }
      return sum;
    };
    const auto seen = [&](Index i) { return state[at(i)] * element(h_mask, sample * units + i, 1); };
    const auto of_state = [&](Index gate, Index j, auto value) {
      double sum = bias.rank() == 2 ? element(bias, width + gate * units + j, 0) : 0;
      for (Index i = 0; i < units; ++i) {
        sum += static_cast<double>(recurrent_kernel.at({i, gate * units + j})) * value(i);
      }
      return sum;
    };
    const auto gate = [&](Index which, Index j) { return sigmoid_of(of_input(which, j) + of_state(which, j, seen)); };
    std::vector<double> next(state), next_cell(cell);
    for (Index j = 0; j < units; ++j) {
      if (type == "LSTM") {
        next_cell[at(j)] = gate(1, j) * cell[at(j)] + gate(0, j) * std::tanh(of_input(2, j) + of_state(2, j, seen));
        next[at(j)] = gate(3, j) * std::tanh(next_cell[at(j)]);
      } else if (type == "GRU") {
        const double inner = reset_after ? gate(1, j) * of_state(2, j, seen)
                                         : of_state(2, j, [&](Index i) { return gate(1, i) * seen(i); });
        next[at(j)] = gate(0, j) * state[at(j)] + (1 - gate(0, j)) * std::tanh(of_input(2, j) + inner);
      } else {
        next[at(j)] = std::tanh(of_input(0, j) + of_state(0, j, seen));
      }
    }
    state = next;
    cell = next_cell;
  }
};

using RecurrentTypes = ::testing::Types<LSTM, GRU, SimpleRNN>;

template <class L>
constexpr const char* recurrent_type = std::is_same_v<L, LSTM>  ? "LSTM"
                                       : std::is_same_v<L, GRU> ? "GRU"
                                                                : "SimpleRNN";

constexpr double recurrent_tolerance = std::is_same_v<Real, double> ? 1e-12 : 1e-5;

/// The reference for a built layer.
template <class L>
ReferenceRnn reference_of(const L& layer) {
  ReferenceRnn result{recurrent_type<L>,
                      layer.kernel.value,
                      layer.recurrent_kernel.value,
                      layer.use_bias ? layer.bias.value : Tensor(),
                      layer.return_sequences,
                      layer.go_backwards};
  if constexpr (requires { layer.reset_after; }) result.reset_after = layer.reset_after;
  return result;
}

}  // namespace cornu::testing
