#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/core/ops_sequences.h"
#include "cornu/layers/recurrent.h"
#include "cornu/onnx/ops.h"
#include "cornu/onnx/take.h"

namespace cornu::onnx::detail {

namespace {

using Layer = Var (*)(Var, Operand, Operand, Operand, const RecurrentOptions&);

/// What an LSTM and a GRU differ in: gate k of Cornu's is block order[k] of ONNX's; `adds_biases` where Cornu has one
/// bias and ONNX one for the products with the input and one for those with the state.
struct Cell {
  std::span<const Index> order;
  Layer run;
  bool adds_biases;
  std::array<std::string_view, 3> activations;
};

/// Throws for what Cornu's recurrent ops do not do.
void require_usual(const Call& call, const Cell& cell) {
  require<FormatError>(!call.has(4), "it has lengths of sequences; all must be of one length");
  require<FormatError>(!call.has(7), "it has peepholes, which Cornu does not have");
  for (const std::size_t state : {std::size_t{5}, std::size_t{6}}) {
    if (!call.has(state)) continue;
    const ConstView begin = call[state].value();
    require<FormatError>(std::all_of(begin.begin(), begin.end(), [](Real v) { return v == 0; }),
                         "it begins with a state other than 0");
  }
  require<FormatError>(call.integer("input_forget", 0) == 0, "input_forget is not 0");
  if (!call.has("activations")) return;
  const std::vector<std::string>& names = call.attribute("activations", AttributeType::texts).texts;
  const std::size_t count = cell.activations[2].empty() ? 2 : 3;
  for (std::size_t i = 0; i < names.size(); ++i) {
    require<FormatError>(names[i] == cell.activations[i % count], "activation {} is {}; only {} is possible", i,
                         names[i], cell.activations[i % count]);
  }
}

/// Cornu's matrix (in, gates units) of direction d of ONNX's (directions, gates units, in).
Var matrix(const Call& call, std::size_t input, Index d, const Cell& cell, Index units) {
  const Var w = call[input];
  const auto gates = static_cast<Index>(cell.order.size());
  require<FormatError>(w.rank() == 3 && w.shape()[1] == gates * units,
                       "weights of shape {}; {} gates of {} are required", w.shape(), gates, units);
  const Var block = reshape(slice_axis(w, 0, d, d + 1), {gates, units, w.shape()[2]});
  return transpose(reshape(take(block, 0, cell.order), {gates * units, w.shape()[2]}));
}

Var biases(const Call& call, Index d, const Cell& cell, Index units) {
  const auto gates = static_cast<Index>(cell.order.size());
  if (!call.has(3)) {
    const View zeros = call.tape().scratch(cell.adds_biases ? Shape{gates * units} : Shape{2, gates * units});
    std::fill(zeros.begin(), zeros.end(), Real{0});
    return call.tape().input(zeros);
  }
  const Var both = reshape(slice_axis(call[3], 0, d, d + 1), {2, gates, units});
  const Var ours = reshape(take(both, 1, cell.order), {2, gates * units});
  return cell.adds_biases ? sum(ours, 0) : ours;
}

void recurrent(Call& call, const Cell& cell) {
  require_usual(call, cell);
  const bool batch_first = call.integer("layout", 0) != 0;
  const std::string_view direction = call.text("direction", "forward");
  const bool two = direction == "bidirectional";
  require<FormatError>(two || direction == "forward" || direction == "reverse", "direction is '{}'", direction);
  const Var x = batch_first ? call[0] : transpose(call[0], {1, 0, 2});
  const Index units = call.integer("hidden_size", call[2].shape()[-1]), directions = two ? 2 : 1;
  const Index batch = x.shape()[0], steps = x.shape()[1];
  std::array<Var, 2> states, last;
  for (Index d = 0; d < directions; ++d) {
    const auto k = static_cast<std::size_t>(d);
    const bool backwards = d == 1 || direction == "reverse";
    const Var y = cell.run(x, matrix(call, 1, d, cell, units), matrix(call, 2, d, cell, units),
                           biases(call, d, cell, units), {.return_sequences = true, .go_backwards = backwards});
    last[k] = slice_axis(y, 1, steps - 1, steps);  // (batch, 1, units)
    // ONNX has the states in the order of time, whichever way they were gone through.
    const std::span<Index> order = counted(call.tape(), steps);
    if (backwards) std::reverse(order.begin(), order.end());
    states[k] = reshape(backwards ? take(y, 1, order) : y, {batch, steps, 1, units});
  }
  const std::span<const Var> all(states.data(), static_cast<std::size_t>(directions)), ends(last.data(), all.size());
  const Var y = concatenate(all, 2), h = concatenate(ends, 1);  // (batch, steps, directions, units), (batch, ...)
  call.result(0, batch_first ? y : transpose(y, {1, 2, 0, 3}));
  call.result(1, batch_first ? h : transpose(h, {1, 0, 2}));
}

void run_lstm(Call& call) {
  static constexpr Index order[] = {0, 2, 3, 1};  // Cornu has i, f, c, o, and ONNX i, o, f, c
  recurrent(call, {order, lstm, true, {"Sigmoid", "Tanh", "Tanh"}});
}

/// The GRU whose reset gate acts before the product (Cho et al., 2014), of smaller ops; bias: (3 units).
///     h = z h + (1 - z) tanh(x_t W_a + (r h) R_a + b_a)
Var gru_before_product(Var x, Operand kernel, Operand recurrent_kernel, Operand bias, const RecurrentOptions& options) {
  const Var matrix = recurrent_kernel.on(x.tape());
  const Index units = matrix.shape()[1] / 3;
  const auto part = [units](Var gates, Index first, Index last) {
    return cornu::slice_axis(gates, -1, first * units, last * units);
  };
  require(x.shape()[1] > 0, "an input of shape {}, batch first; at least one step is required", x.shape());
  const Var of_gates = part(matrix, 0, 2), of_candidate = part(matrix, 2, 3);
  return cornu::detail::each_step(affine(x, kernel, bias), units, options, [&](Var input, Var h) {
    const Var gates = sigmoid(part(input, 0, 2) + matmul(h, of_gates));
    const Var keep = part(gates, 0, 1), reset = part(gates, 1, 2);
    return keep * h + (1 - keep) * tanh(part(input, 2, 3) + matmul(reset * h, of_candidate));
  });
}

void run_gru(Call& call) {
  static constexpr Index order[] = {0, 1, 2};
  const bool after = call.integer("linear_before_reset", 0) != 0;
  recurrent(call, {order, after ? Layer(gru) : gru_before_product, !after, {"Sigmoid", "Tanh", ""}});
}

}  // namespace

std::span<const Op> recurrent_ops() {
  static constexpr Op ops[] = {
      {"GRU", 7, 3, 6, 2, "activations direction hidden_size layout linear_before_reset ", 0b1110, run_gru},
      {"LSTM", 7, 3, 8, 3, "activations direction hidden_size input_forget layout ", 0b1110, run_lstm},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
