#include <fmt/format.h>

#include "cornu/core/ops/eager.h"
#include "cornu/models/export_cpp/rows.h"

/// How recurrent ops and attention are written.
namespace cornu::detail {

namespace {

/// x w + bias for all steps.
CppValue product_of_input(CppOpWriter& to, Index outputs, const CppArgument& bias) {
  const Shape x = to.shape(0);
  const CppValue y = to.make({x[1], outputs});
  to.call("dense", fmt::format("{}, {}, {}", x[1], x[2], outputs), {to.operand(0), to.weights(1, outputs), bias}, y);
  return y;
}

std::string sizes(const CppOpWriter& to) {
  return fmt::format("{}, {}, {}, {}", to.shape(0)[1], to.shape(2)[0], to.op().flag("return_sequences"),
                     to.op().flag("go_backwards"));
}

/// The number of operands before the initial states. Throws ValueError if weights among them are computed.
std::size_t count_before_states(const CppOpWriter& to, std::size_t states) {
  const bool continues = to.op().has("initial_state") && to.op().flag("initial_state");
  const std::size_t count = continues ? to.operand_count() - states : to.operand_count();
  to.require_known(1, count);
  return count;
}

/// Copies (units) elements.
void copy_state(CppOpWriter& to, const CppArgument& from, CppValue memory, Index offset) {
  const Index units = to.shape(2)[0];
  memory.offset += offset;
  to.call("copy", fmt::format("1, {}, {}, {}", units, units, units), {from}, memory);
}

CppValue write_lstm(CppOpWriter& to) {
  const std::size_t count = count_before_states(to, 2);
  const Index units = to.shape(2)[0];
  const CppValue inputs = product_of_input(to, 4 * units, count > 3 ? to.operand(3) : "nullptr"),
                 memory = to.make({6 * units}), y = to.make(to.result_shape());
  const bool continues = count < to.operand_count();
  for (std::size_t i = count; i < to.operand_count(); ++i) {
    copy_state(to, to.operand(i), memory, static_cast<Index>(i - count) * units);
  }
  to.call(continues ? "continue_lstm" : "lstm", sizes(to),
          {inputs, memory, to.weights(2, 4 * units), activations_text(to.op())}, y);
  if (to.op().has("initial_state")) {  // the result ends with c
    CppValue c = memory;
    c.offset += units;
    copy_state(to, c, y, y.shape.size() - units);
  }
  return y;
}

CppValue write_simple_rnn(CppOpWriter& to) {
  to.require_known(1);
  const Index units = to.shape(2)[0];
  const CppValue inputs = product_of_input(to, units, to.operand_count() > 3 ? to.operand(3) : "nullptr"),
                 memory = to.make({2 * units});
  return to.call("simple_rnn", sizes(to),
                 {inputs, memory, to.weights(2, units), activation_text(to.op().text("activation"))});
}

/// The gates and the candidate have products of their own, each with part of the kernel and of the bias.
CppValue write_gru(CppOpWriter& to) {
  const std::size_t count = count_before_states(to, 1);
  const GruParts parts(to, count > 3);
  const CppValue inputs = product_of_input(to, 3 * parts.units, parts.input_bias), memory = to.make({5 * parts.units});
  const bool continues = count < to.operand_count();
  if (continues) copy_state(to, to.operand(count), memory, 0);
  return to.call(continues ? "continue_gru" : "gru", fmt::format("{}, {}", sizes(to), parts.reset_after),
                 {inputs, memory, parts.gates_kernel, parts.gates_bias, parts.candidate_kernel, parts.candidate_bias,
                  activations_text(to.op())});
}

CppValue write_attention(CppOpWriter& to) {
  const Index heads = to.op().integer("num_heads"), steps = to.shape(0)[1], keys = to.shape(1)[1];
  const CppValue scores = to.make({keys});
  return to.call("attend",
                 fmt::format("{}, {}, {}, {}, {}, {}", steps, keys, heads, to.shape(0)[2] / heads,
                             to.shape(2)[2] / heads, to.op().flag("use_causal_mask")),
                 {to.operand(0), to.operand(1), to.operand(2), scores});
}

}  // namespace

std::string activations_text(const Trace::Op& op) {
  if (!op.has("activation")) return activation_text("tanh") + ", " + activation_text("sigmoid");
  return activation_text(op.text("activation")) + ", " + activation_text(op.text("recurrent_activation"));
}

GruParts::GruParts(CppOpWriter& to, bool has_bias) : units(to.shape(2)[0]) {
  const bool two_biases = has_bias && to.numbers(3).size() == 6 * units;
  reset_after = !to.op().has("reset_after") || to.op().flag("reset_after");
  const auto part_of = [&](std::size_t operand, Index row, Index begin, Index end) {
    const Tensor rows = reshape(Tensor(to.numbers(operand)), {-1, 3 * units});
    return slice_axis(operand == 3 ? slice_axis(rows, 0, row, row + 1) : rows, 1, begin, end);
  };
  const auto bias = [&](const char* name, Index row, Index begin, Index end) -> CppArgument {
    if (row == 0 ? !has_bias : !two_biases) return "nullptr";
    return to.array(3, name, part_of(3, row, begin, end));
  };
  const auto kernel = [&](const char* name, Index begin, Index end) {
    return to.weights(2, name, part_of(2, 0, begin, end), end - begin);
  };
  input_bias = bias("input", 0, 0, 3 * units);
  gates_kernel = kernel("gates", 0, 2 * units);
  gates_bias = bias("gates", 1, 0, 2 * units);
  candidate_kernel = kernel("candidate", 2 * units, 3 * units);
  candidate_bias = bias("candidate", 1, 2 * units, 3 * units);
}

CppRows cpp_sequence_rows() {
  return {{"lstm", write_lstm},
          {"gru", write_gru},
          {"lstm_with_state", write_lstm},
          {"gru_with_state", write_gru},
          {"simple_rnn", write_simple_rnn},
          {"lstm_by_steps", write_lstm},
          {"gru_by_steps", write_gru},
          {"attend", write_attention}};
}

}  // namespace cornu::detail
