#include <algorithm>
#include <limits>
#include <map>
#include <optional>

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
  const Tensor columns = cornu::concatenate(blocks, -1);
  return reshape(transpose(columns), {1, columns.shape()[1], columns.shape()[0]});
}

/// How an op is written. `order`: the index in Cornu of each of ONNX's gates.
struct NodeKind {
  const char* type;
  std::vector<Index> order;
  std::vector<Given> attributes{};
};

/// `cell`: the name of the op, or of the two that were merged.
NodeKind node_kind(const Trace::Op& op, const std::string& cell, std::size_t directions) {
  if (cell.starts_with("lstm")) return {"LSTM", {0, 3, 1, 2}};  // i, o, f, c
  if (cell.starts_with("gru")) {
    return {"GRU", {0, 1, 2}, {{"linear_before_reset", Index{cell != "gru_by_steps"}}}};
  }
  NodeKind kind{"RNN", {0}};
  const std::string& activation = op.text("activation");
  if (activation != "tanh") {
    const std::vector<std::string> of_directions(directions, activation == "relu" ? "Relu" : "Sigmoid");
    kind.attributes.push_back({"activations", of_directions});
  }
  return kind;
}

/// A kernel, (1, gates, in).
Tensor kernel_of(const OpWriter& to, std::size_t operand, const NodeKind& kind) {
  return gates(Tensor(to.value(operand).data), to.value(2).data.shape()[0], kind.order);
}

/// Both biases, (1, 2 gates): ONNX adds two. Cornu has one or two rows: the second is zeros if there is one.
Tensor biases_of(const OpWriter& to, std::size_t operand, const NodeKind& kind) {
  const Index units = to.value(2).data.shape()[0];
  Tensor rows(to.value(operand).data);
  rows = reshape(rows, {-1, static_cast<Index>(kind.order.size()) * units});
  if (rows.shape()[0] == 1) rows = cornu::concatenate({rows, Tensor(rows.shape())}, 0);
  const Tensor both = gates(rows, units, kind.order);  // (1, gates, 2)
  return reshape(transpose(both, {0, 2, 1}), {1, both.size()});
}

Written write_recurrent(OpWriter& to) {
  const bool has_cell = to.op().name == "lstm_with_state",
             continues = to.op().has("initial_state") && to.op().flag("initial_state");
  const std::size_t count = to.operand_count() - (!continues ? 0 : has_cell ? 2 : 1);  // before the initial states
  for (std::size_t i = 1; i < count; ++i) {
    require<ValueError>(to.value(i).is_known(), "{}: a kernel or bias that is computed cannot be written",
                        to.op().name);
  }
  NodeKind kind = node_kind(to.op(), to.op().name, 1);
  const bool backwards = to.op().flag("go_backwards");
  const std::string x = to.transposed(to.operand(0), {1, 0, 2});  // (steps, batch, features)
  std::vector<std::string> inputs{x, to.weight(1, kernel_of(to, 1, kind)), to.weight(2, kernel_of(to, 2, kind))};
  if (count > 3) inputs.push_back(to.weight(3, biases_of(to, 3, kind)));
  if (count < to.operand_count()) inputs.resize(5);  // no sequence_lens
  for (std::size_t i = count; i < to.operand_count(); ++i) {
    inputs.push_back(to.node("Unsqueeze", {to.operand(i), to.integers({0})}));  // (1, batch, units)
  }
  kind.attributes.push_back({"hidden_size", to.value(2).data.shape()[0]});
  kind.attributes.push_back({"direction", backwards ? "reverse" : "forward"});
  // The outputs: all states (steps, 1, batch, units), the last state and the last cell (1, batch, units).
  const std::vector<std::string> outputs = to.nodes(kind.type, inputs, has_cell ? 3 : 2, kind.attributes);
  const bool all = to.op().flag("return_sequences");
  if (!all && !has_cell) return to.node("Squeeze", {outputs[1], to.integers({0})});
  std::string y = to.transposed(all ? to.node("Squeeze", {outputs[0], to.integers({1})}) : outputs[1], {1, 0, 2});
  if (all && backwards) {  // ONNX returns states in order of time, Cornu in order of processing
    y = to.node("Slice", {y, to.integers({-1}), to.integers({std::numeric_limits<Index>::min()}), to.integers({1}),
                          to.integers({-1})});
  }
  if (!has_cell) return y;
  return to.node("Concat", {y, to.transposed(outputs[2], {1, 0, 2})}, {{"axis", Index{1}}});
}

/// Two ops that merge_directions has merged: x, the weights of the forward op, those of the backward op.
Written write_bidirectional(OpWriter& to) {
  NodeKind kind = node_kind(to.op(), to.op().text("cell"), 2);
  const std::size_t weights = (to.operand_count() - 1) / 2;
  const Index units = to.value(2).data.shape()[0];
  std::vector<std::string> inputs{to.transposed(to.operand(0), {1, 0, 2})};
  for (std::size_t i = 1; i <= weights; ++i) {
    const auto layout = i == 3 ? biases_of : kernel_of;
    inputs.push_back(to.weight(i, cornu::concatenate({layout(to, i, kind), layout(to, i + weights, kind)}, 0)));
  }
  kind.attributes.push_back({"hidden_size", units});
  kind.attributes.push_back({"direction", "bidirectional"});
  // The outputs: all states (steps, 2, batch, units), and the last ones (2, batch, units).
  const std::vector<std::string> outputs = to.nodes(kind.type, inputs, 2, kind.attributes);
  if (!to.op().flag("return_sequences")) {
    return to.node("Reshape", {to.transposed(outputs[1], {1, 0, 2}), to.integers({0, 2 * units})});
  }
  return to.node("Reshape", {to.transposed(outputs[0], {2, 0, 1, 3}), to.integers({0, 0, 2 * units})});
}

/// Finds pairs of ops for merge_directions.
class Directions {
 public:
  explicit Directions(const Trace& trace) : trace_(trace), readers_(trace.values.size()) {
    for (const Trace::Op& op : trace.ops) {
      for (const std::size_t operand : op.operands) ++readers_[operand];
    }
    for (const std::size_t output : trace.outputs) ++readers_[output];
  }

  /// Notes an op, and returns a merged one if it concatenates two that can be merged.
  std::optional<Trace::Op> next(const Trace::Op& op) {
    std::optional<Trace::Op> merged = merged_by(op);
    makers_[op.result] = op;
    return merged;
  }

 private:
  /// The op that makes a value, if only one op reads it.
  const Trace::Op* maker(std::size_t value) const {
    const auto found = makers_.find(value);
    return found == makers_.end() || readers_[value] != 1 ? nullptr : &found->second;
  }

  std::optional<Trace::Op> merged_by(const Trace::Op& op) {
    if (op.name != "concatenate" || op.operands.size() != 2 ||
        op.integer("axis") + 1 != std::ssize(trace_.result(op).shape))
      return std::nullopt;
    const Trace::Op* const forward = maker(op.operands[0]);
    const Trace::Op* backward = maker(op.operands[1]);
    const bool in_time = backward != nullptr && backward->name == "flip" && backward->integer("axis") == 1;
    if (in_time) backward = maker(backward->operands[0]);
    if (forward == nullptr || backward == nullptr || !are_a_pair(*forward, *backward, in_time)) return std::nullopt;
    Trace::Op merged = *forward;
    merged.name = "bidirectional";
    merged.attributes.push_back({"cell", forward->name});
    merged.operands.insert(merged.operands.end(), backward->operands.begin() + 1, backward->operands.end());
    // OpWriter::weight writes the weights of the forward op once: they must not be half of two different initializers.
    const std::vector<std::size_t> weights(merged.operands.begin() + 1, merged.operands.end());
    if (weights_.try_emplace(weights.front(), weights).first->second != weights) return std::nullopt;
    merged.result = op.result;
    merged.layer = op.layer;
    merged.body.clear();
    return merged;
  }

  bool are_a_pair(const Trace::Op& forward, const Trace::Op& backward, bool in_time) const {
    const bool is_cell = forward.name == "lstm" || forward.name == "gru" || forward.name == "gru_by_steps" ||
                         forward.name == "simple_rnn";
    const auto is_known = [&](std::size_t operand) { return trace_.values[operand].is_known(); };
    const auto options_of = [](const Trace::Op& op) {
      std::vector<Trace::Attribute> options = op.attributes;
      std::erase_if(options, [](const Trace::Attribute& each) { return each.name == "go_backwards"; });
      return options;
    };
    return is_cell && backward.name == forward.name && !forward.flag("go_backwards") && backward.flag("go_backwards") &&
           options_of(forward) == options_of(backward) && forward.flag("return_sequences") == in_time &&
           forward.operands[0] == backward.operands[0] && forward.operands.size() == backward.operands.size() &&
           trace_.result(forward).shape == trace_.result(backward).shape &&
           std::all_of(forward.operands.begin() + 1, forward.operands.end(), is_known) &&
           std::all_of(backward.operands.begin() + 1, backward.operands.end(), is_known);
  }

  const Trace& trace_;
  std::vector<std::size_t> readers_;
  std::map<std::size_t, Trace::Op> makers_;                    // by their results
  std::map<std::size_t, std::vector<std::size_t>> weights_{};  // of merged ops, by the first
};

}  // namespace

void merge_directions(Trace& trace) {
  Directions directions(trace);
  for (Trace::Op& op : trace.ops) {
    if (std::optional<Trace::Op> merged = directions.next(op)) op = std::move(*merged);
  }
}

OpRows sequence_rows() {
  return {{"lstm", write_recurrent},
          {"lstm_with_state", write_recurrent},
          {"gru", write_recurrent},
          {"gru_with_state", write_recurrent},
          {"gru_by_steps", write_recurrent},
          {"simple_rnn", write_recurrent},
          {"bidirectional", write_bidirectional}};
}

}  // namespace cornu::onnx::detail
