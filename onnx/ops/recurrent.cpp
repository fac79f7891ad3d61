#include <algorithm>
#include <array>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/ops/masks.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/layers/rnn/recurrent.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"
#include "cornu/onnx/ops/recurrent_activation.h"

namespace cornu::onnx::detail {

namespace {

/// One direction: weights in Cornu's layout, and the optional initial states (batch, units).
struct Direction {
  Var kernel, recurrent_kernel, bias, h, c;
  Var peepholes;  // (3 units), for the gates i, o, f
  RnnActivations activations;
  bool input_forget = false;  // the forget gate is 1 - the input gate
};

/// all: the states in order of processing, (batch, steps, units). cell: the last cell state of an LSTM, (batch, units).
struct States {
  Var all, cell;
};

/// The differences between LSTM, GRU and RNN. Gate k of Cornu is block order[k] of ONNX. `adds_biases`: ONNX's biases
/// of input and state are summed into Cornu's single bias.
struct Cell {
  std::span<const Index> order;
  /// The fused op of core, without and with states; null if there is none.
  Var (*run)(Var, Operand, Operand, Operand, const RecurrentOptions&);
  RecurrentOutput (*run_with_state)(Var, const RecurrentState&, Operand, Operand, Operand, const RecurrentOptions&);
  States (*run_by_steps)(Var x, const Direction& direction, const RecurrentOptions& options);
  bool adds_biases;
  std::array<std::string_view, 3> activations;  // the usual ones
};

/// The steps within sequence_lens; empty if all are.
Var mask_of(const Call& call, Index batch, Index steps) {
  if (!call.has(4)) return {};
  const std::span<const Index> lengths = call.integers(4);
  require(std::ssize(lengths) == batch, "{} sequence_lens for a batch of {}", lengths.size(), batch);
  if (std::all_of(lengths.begin(), lengths.end(), [&](Index length) { return length == steps; })) return {};
  return sequence_mask(cornu::reshape(call.as_real(4), {batch}), steps);
}

/// Direction d of ONNX's (directions, gates units, in) as Cornu's matrix (in, gates units).
Var matrix(const Call& call, std::size_t input, Index d, const Cell& cell, Index units) {
  const Var w = call[input];
  const auto gates = static_cast<Index>(cell.order.size());
  require<FormatError>(w.rank() == 3 && w.shape()[1] == gates * units,
                       "weights of shape {}; {} gates of {} are required", w.shape(), gates, units);
  const Var block = cornu::reshape(slice_axis(w, 0, d, d + 1), {gates, units, w.shape()[2]});
  return cornu::transpose(cornu::reshape(detail::take(block, 0, cell.order), {gates * units, w.shape()[2]}));
}

Var biases(const Call& call, Index d, const Cell& cell, Index units) {
  const auto gates = static_cast<Index>(cell.order.size());
  if (!call.has(3)) {
    const View zeros = call.tape().scratch(cell.adds_biases ? Shape{gates * units} : Shape{2, gates * units});
    std::fill(zeros.begin(), zeros.end(), Real{0});
    return call.tape().input(zeros);
  }
  const Var both = cornu::reshape(slice_axis(call[3], 0, d, d + 1), {2, gates, units});
  const Var ours = cornu::reshape(detail::take(both, 1, cell.order), {2, gates * units});
  return cell.adds_biases ? sum(ours, 0) : ours;
}

void recurrent(Call& call, const Cell& cell) {
  const bool batch_first = call.integer("layout", 0) != 0;
  const std::string_view way = call.text("direction", "forward");
  const bool two = way == "bidirectional";
  require<FormatError>(two || way == "forward" || way == "reverse", "direction is '{}'", way);
  const Var x = with_mask(batch_first ? call[0] : cornu::transpose(call[0], {1, 0, 2}), {});
  const Index units = call.integer("hidden_size", call[2].shape()[-1]), directions = two ? 2 : 1;
  require<FormatError>(units == call[2].shape()[-1], "hidden_size is {}, its weights have {}", units,
                       call[2].shape()[-1]);
  const Index batch = x.shape()[0], steps = x.shape()[1];
  require(steps > 0, "an input of shape {}, batch first; at least one step is required", x.shape());
  const Var mask = mask_of(call, batch, steps);
  if (mask) x.set_mask(mask);
  const auto initial = [&](std::size_t input, Index d) {
    if (!call.has(input)) return Var();
    const Shape expected = batch_first ? Shape{batch, directions, units} : Shape{directions, batch, units};
    require(call[input].shape() == expected, "an initial state of shape {}; {} is required", call[input].shape(),
            expected);
    return cornu::reshape(slice_axis(call[input], batch_first ? 1 : 0, d, d + 1), {batch, units});
  };
  const auto is_nothing = [](Var state) {
    if (!state) return true;
    const ConstView begin = state.value();
    return !state.wants_gradient() && std::all_of(begin.begin(), begin.end(), [](Real v) { return v == 0; });
  };
  std::array<Var, 2> states, last, cells;
  for (Index d = 0; d < directions; ++d) {
    const auto k = static_cast<std::size_t>(d);
    const bool backwards = d == 1 || way == "reverse";
    const RecurrentOptions options{.return_sequences = true, .go_backwards = backwards};
    const Direction direction{matrix(call, 1, d, cell, units),
                              matrix(call, 2, d, cell, units),
                              biases(call, d, cell, units),
                              initial(5, d),
                              initial(6, d),
                              call.has(7) ? cornu::reshape(slice_axis(call[7], 0, d, d + 1), {3 * units}) : Var(),
                              activations_of(call, d, directions, cell.activations),
                              call.integer("input_forget", 0) != 0};
    const bool is_usual = are_usual(direction.activations, cell.activations) && !direction.input_forget;
    const bool has_states = !is_nothing(direction.h) || !is_nothing(direction.c) || call.wants(2);
    States made;
    if (cell.run == nullptr || direction.peepholes || !is_usual) {
      made = cell.run_by_steps(x, direction, options);
    } else if (has_states) {
      const RecurrentOutput output = cell.run_with_state(x, {direction.h, direction.c}, direction.kernel,
                                                         direction.recurrent_kernel, direction.bias, options);
      made = {output.y, output.state.c};
    } else {
      made.all = cell.run(x, direction.kernel, direction.recurrent_kernel, direction.bias, options);
    }
    if (mask) {  // later nodes know nothing of it
      const Var counts = cornu::reshape(backwards ? flip(mask, 1) : mask, {batch, steps, 1});
      made.all = with_mask(made.all, {});
      last[k] = slice_axis(made.all, 1, steps - 1, steps);
      made.all = made.all * counts;  // ONNX Runtime pads with zeros
    } else {
      last[k] = slice_axis(made.all, 1, steps - 1, steps);  // (batch, 1, units)
    }
    if (made.cell) cells[k] = cornu::reshape(made.cell, {batch, 1, units});
    // ONNX returns the states in order of time for both directions.
    const std::span<Index> order = counted(call.tape(), steps);
    if (backwards) std::reverse(order.begin(), order.end());
    states[k] = cornu::reshape(backwards ? detail::take(made.all, 1, order) : made.all, {batch, steps, 1, units});
  }
  const auto count = static_cast<std::size_t>(directions);
  const auto of_directions = [&](const std::array<Var, 2>& each) {  // (batch, directions, units)
    const Var y = concatenate(std::span<const Var>(each.data(), count), 1);
    return batch_first ? y : cornu::transpose(y, {1, 0, 2});
  };
  const Var y = concatenate(std::span<const Var>(states.data(), count), 2);  // (batch, steps, directions, units)
  call.result(0, batch_first ? y : cornu::transpose(y, {1, 2, 0, 3}));
  call.result(1, of_directions(last));
  if (call.wants(2)) call.result(2, of_directions(cells));
}

/// Block `number` of concatenated gates.
Var columns_of(Var gates, Index number, Index units) {
  return slice_axis(gates, -1, number * units, (number + 1) * units);
}

/// An LSTM composed of simpler ops, with any activations. With peepholes p, gates also read the cell state,
/// f(... + p c).
States lstm_by_steps(Var x, const Direction& direction, const RecurrentOptions& options) {
  const Var matrix = direction.recurrent_kernel;
  const Index units = matrix.shape()[0];
  Var c = direction.c;
  if (!c) {
    const View nothing = x.tape().scratch({x.shape()[0], units});
    std::fill(nothing.begin(), nothing.end(), Real{0});
    c = x.tape().input(nothing);
  }
  const auto next = [&](Var input, Var h, Var counts) {
    const Var gates = cornu::detail::with_product(input, h, {}, matrix);
    const RnnActivation &of_gates = direction.activations[0], &of_candidate = direction.activations[1],
                        &of_cell = direction.activations[2];
    const auto gate = [&](Index number, Index peephole) {
      Var sum = columns_of(gates, number, units);
      if (direction.peepholes) sum = sum + c * columns_of(direction.peepholes, peephole, units);
      return of_gates(sum);
    };
    const Var old_c = c, in = gate(0, 0), forget = direction.input_forget ? 1 - in : gate(1, 2);
    c = forget * c + in * of_candidate(columns_of(gates, 2, units));
    const Var fresh = gate(3, 1) * of_cell(c);
    c = cornu::detail::next_state(counts, c, old_c);
    return cornu::detail::next_state(counts, fresh, h);
  };
  const Var all =
      cornu::detail::each_step(affine(x, direction.kernel, direction.bias), units, options, next, direction.h);
  return {all, c};
}

void run_lstm(Call& call) {
  static constexpr Index order[] = {0, 2, 3, 1};  // Cornu's order is i, f, c, o; ONNX's is i, o, f, c
  recurrent(call, {order, lstm, lstm, lstm_by_steps, true, {"Sigmoid", "Tanh", "Tanh"}});
}

/// A GRU composed of simpler ops, with the reset gate before the product (Cho et al., 2014); bias: (3 units).
///     h = z h + (1 - z) g(x_t W_a + (r h) R_a + b_a)
States gru_before_product(Var x, const Direction& direction, const RecurrentOptions& options) {
  const Var matrix = direction.recurrent_kernel;
  const Index units = matrix.shape()[0];
  const Var of_gates = slice_axis(matrix, -1, 0, 2 * units), of_candidate = columns_of(matrix, 2, units);
  const auto& activations = direction.activations;
  const auto next = [&](Var input, Var h, Var counts) {
    const Var gates = activations[0](cornu::detail::with_product(slice_axis(input, -1, 0, 2 * units), h, {}, of_gates));
    const Var keep = columns_of(gates, 0, units), reset = columns_of(gates, 1, units),
              own = columns_of(input, 2, units);
    const Var fresh = h ? keep * h + (1 - keep) * activations[1](own + matmul(reset * h, of_candidate))
                        : (1 - keep) * activations[1](own);
    return cornu::detail::next_state(counts, fresh, h);
  };
  return {cornu::detail::each_step(affine(x, direction.kernel, direction.bias), units, options, next, direction.h), {}};
}

/// The same with the reset gate after the product; bias: (2, 3 units), of the input and of the state.
///     h = z h + (1 - z) g(x_t W_a + b_a + r (h R_a + c_a))
States gru_after_product(Var x, const Direction& direction, const RecurrentOptions& options) {
  const Var matrix = direction.recurrent_kernel;
  const Index units = matrix.shape()[0];
  const auto bias = [&](Index row) { return cornu::reshape(slice_axis(direction.bias, 0, row, row + 1), {3 * units}); };
  const Var of_input = bias(0), of_state = bias(1);
  const auto& activations = direction.activations;
  const auto next = [&](Var input, Var h, Var counts) {
    const Var state = h ? affine(h, matrix, of_state) : of_state;
    const auto both = [&](Index gate) {
      return activations[0](columns_of(input, gate, units) + columns_of(state, gate, units));
    };
    const Var keep = both(0), reset = both(1);
    const Var candidate = activations[1](columns_of(input, 2, units) + reset * columns_of(state, 2, units));
    const Var fresh = h ? keep * h + (1 - keep) * candidate : (1 - keep) * candidate;
    return cornu::detail::next_state(counts, fresh, h);
  };
  return {cornu::detail::each_step(affine(x, direction.kernel, of_input), units, options, next, direction.h), {}};
}

void run_gru(Call& call) {
  static constexpr Index order[] = {0, 1, 2};
  if (call.integer("linear_before_reset", 0) != 0) {
    recurrent(call, {order, gru, gru, gru_after_product, false, {"Sigmoid", "Tanh", ""}});
  } else {
    recurrent(call, {order, nullptr, nullptr, gru_before_product, true, {"Sigmoid", "Tanh", ""}});
  }
}

/// h = f(x_t W + h R + b), composed of simpler ops.
States rnn_by_steps(Var x, const Direction& direction, const RecurrentOptions& options) {
  const auto next = [&](Var input, Var h, Var counts) {
    return cornu::detail::next_state(
        counts, direction.activations[0](cornu::detail::with_product(input, h, {}, direction.recurrent_kernel)), h);
  };
  const Index units = direction.recurrent_kernel.shape()[0];
  return {cornu::detail::each_step(affine(x, direction.kernel, direction.bias), units, options, next, direction.h), {}};
}

void run_rnn(Call& call) {
  static constexpr Index order[] = {0};
  recurrent(call, {order, nullptr, nullptr, rnn_by_steps, true, {"Tanh", "", ""}});
}

}  // namespace

std::span<const Op> recurrent_ops() {
  static constexpr Op ops[] = {
      {.name = "GRU",
       .since = 7,
       .inputs = {3, 6},
       .outputs = 2,
       .attributes =
           "activation_alpha activation_beta activations clip direction hidden_size layout linear_before_reset ",
       .weights = 0b1110,
       .run = run_gru},
      {.name = "LSTM",
       .since = 7,
       .inputs = {3, 8},
       .outputs = 3,
       .attributes = "activation_alpha activation_beta activations clip direction hidden_size input_forget layout ",
       .weights = 0b10001110,
       .run = run_lstm},
      {.name = "RNN",
       .since = 7,
       .inputs = {3, 6},
       .outputs = 2,
       .attributes = "activation_alpha activation_beta activations clip direction hidden_size layout ",
       .weights = 0b1110,
       .run = run_rnn},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
