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

CppValue write_lstm(CppOpWriter& to) {
  to.require_known(1);
  const Index units = to.shape(2)[0];
  const CppValue inputs = product_of_input(to, 4 * units, to.operand_count() > 3 ? to.operand(3) : "nullptr"),
                 memory = to.make({6 * units});
  return to.call("lstm", sizes(to), {inputs, memory, to.weights(2, 4 * units), activations_text(to.op())});
}

/// The gates and the candidate have products of their own, each with part of the kernel and of the bias.
CppValue write_gru(CppOpWriter& to) {
  const GruParts parts(to);
  const CppValue inputs = product_of_input(to, 3 * parts.units, parts.input_bias), memory = to.make({5 * parts.units});
  return to.call("gru", fmt::format("{}, {}", sizes(to), parts.reset_after),
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

GruParts::GruParts(CppOpWriter& to) : units(to.shape(2)[0]) {
  const bool has_bias = to.operand_count() > 3, two_biases = has_bias && to.numbers(3).size() == 6 * units;
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
          {"lstm_by_steps", write_lstm},
          {"gru_by_steps", write_gru},
          {"attend", write_attention}};
}

}  // namespace cornu::detail
