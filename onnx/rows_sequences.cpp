#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How recurrent ops are written.
namespace cornu::onnx::detail {

namespace {

/// The column blocks of a (rows, blocks units) matrix, reordered and transposed: (1, blocks units, rows).
Tensor gates(const Tensor& kernel, Index units, std::span<const Index> order) {
  std::vector<Tensor> blocks;
  for (const Index block : order) blocks.push_back(slice_axis(kernel, -1, block * units, (block + 1) * units));
  const Tensor columns = concatenate(blocks, -1);
  return reshape(transpose(columns), {1, columns.shape()[1], columns.shape()[0]});
}

/// An LSTM or GRU. `order`: the index in Cornu of each of ONNX's gates.
Written recurrent(OpWriter& to, const char* type, std::initializer_list<Index> gate_order,
                  std::vector<Given> attributes) {
  for (std::size_t i = 1; i < to.operand_count(); ++i) {
    require<ValueError>(to.value(i).is_known(), "{}: a kernel or bias that is computed cannot be written",
                        to.op().name);
  }
  const std::span<const Index> order(gate_order.begin(), gate_order.size());
  const Index units = to.value(2).data.shape()[0];
  const bool backwards = to.op().flag("go_backwards");
  const std::string x = to.transposed(to.operand(0), {1, 0, 2});  // (steps, batch, features)
  std::vector<std::string> inputs{x, to.weight(1, gates(Tensor(to.value(1).data), units, order)),
                                  to.weight(2, gates(Tensor(to.value(2).data), units, order))};
  if (to.operand_count() > 3) {
    // ONNX adds two biases. Cornu has one or two rows: the second is zeros if there is one.
    Tensor rows(to.value(3).data);
    rows = reshape(rows, {-1, static_cast<Index>(order.size()) * units});
    if (rows.shape()[0] == 1) rows = concatenate({rows, Tensor(rows.shape())}, 0);
    const Tensor both = gates(rows, units, order);  // (1, gates, 2)
    inputs.push_back(to.weight(3, reshape(transpose(both, {0, 2, 1}), {1, both.size()})));
  }
  attributes.push_back({"hidden_size", units});
  attributes.push_back({"direction", backwards ? "reverse" : "forward"});
  // The outputs: all states (steps, 1, batch, units), and the last state (1, batch, units).
  const std::vector<std::string> outputs = to.nodes(type, inputs, 2, attributes);
  if (!to.op().flag("return_sequences")) return to.node("Squeeze", {outputs[1], to.integers({0})});
  const std::string y = to.transposed(to.node("Squeeze", {outputs[0], to.integers({1})}), {1, 0, 2});
  if (!backwards) return y;
  // ONNX returns states in order of time, Cornu in order of processing.
  return to.node("Slice", {y, to.integers({-1}), to.integers({std::numeric_limits<Index>::min()}), to.integers({1}),
                           to.integers({-1})});
}

}  // namespace

OpRows sequence_rows() {
  return {{"lstm",
           [](OpWriter& to) {
             return recurrent(to, "LSTM", {0, 3, 1, 2}, {});
           }},  // i, o, f, c
          {"gru",
           [](OpWriter& to) {
             return recurrent(to, "GRU", {0, 1, 2}, {{"linear_before_reset", Index{1}}});
           }},
          {"gru_by_steps", [](OpWriter& to) {
             return recurrent(to, "GRU", {0, 1, 2}, {{"linear_before_reset", Index{0}}});
           }}};
}

}  // namespace cornu::onnx::detail
