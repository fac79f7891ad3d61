#include "cornu/models/export_cpp/streamer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"
#include "cornu/models/export_cpp/rows.h"
#include "cornu/models/export_cpp/trace_writer.h"
#include "cornu/models/sequential.h"
#include "cornu/models/streaming/stream_trace.h"

namespace cornu::detail {

namespace {

/// The rates at which rows of values come: 0 for each step; another number is that of the call of a strided op.
class Rates {
 public:
  explicit Rates(const Trace& trace) : of_values_(trace.values.size()) {}

  /// The text before the calls of an op: "if (has_1) ".
  std::string before(const Trace::Op& op) {
    std::size_t rate = 0;
    for (const std::size_t operand : op.operands) rate = std::max(rate, of_values_[operand]);
    of_values_[op.result] = rate;
    if (!may_wait(op)) return condition(op.result);
    const std::string declared = fmt::format("[[maybe_unused]] const bool has_{} = ", ++count_);
    of_values_[op.result] = count_;
    return declared + (rate == 0 ? "" : fmt::format("has_{} && ", rate));
  }
  std::string condition(std::size_t value) const {
    return of_values_[value] == 0 ? "" : fmt::format("if (has_{}) ", of_values_[value]);
  }

 private:
  static bool may_wait(const Trace::Op& op) { return op.name.starts_with("stream_") && op.has("waits"); }

  std::vector<std::size_t> of_values_;
  std::size_t count_ = 0;
};

/// Gives state its first contents: 0, and other numbers where they are.
std::string reset_text(const std::vector<float>& state) {
  std::string text = "    for (float& each : state) each = 0.0f;\n";
  for (std::size_t i = 0; i < state.size();) {
    std::size_t end = i + 1;
    while (end < state.size() && state[end] == state[i]) ++end;
    if (state[i] != 0) {
      text += fmt::format("    for (std::size_t i = {}; i < {}; ++i) state[i] = {};\n", i, end,
                          std::isinf(state[i]) ? "-INFINITY" : fmt::format("{}.0f", state[i]));
    }
    i = end;
  }
  return text;
}

}  // namespace

std::string cpp_stream(const Sequential& model, const ExportCppOptions& options) {
  require_not_negative("ExportCppOptions", "attention_window", options.attention_window);
  const auto is_one_step = [](const Trace::Op& op) { return cpp_row_of("stream_" + op.name) != nullptr; };
  StreamTrace stream = stream_trace(model, is_one_step, options.attention_window);
  // These have loops for one step.
  for (Trace::Op& op : stream.trace.ops) {
    if (op.name == "tanh" || op.name == "sigmoid" || op.name == "affine") op.name = "stream_" + op.name;
  }
  const Trace& trace = stream.trace;
  CppProgram program(options);
  CppArrays arrays;
  const CppTrained none;
  CppTraceWriter writer(trace, program, arrays, none);
  Rates rates(trace);
  for (const Trace::Op& op : trace.ops) {
    writer.begin_calls_with(rates.before(op));
    writer.write(op);
  }
  const std::size_t result = trace.outputs.front();
  writer.begin_calls_with(rates.condition(result));
  CppValue output = writer.output(result);
  const bool holds = stream.latency > 0 || stream.stride > 1;
  if (holds) output = writer.held(output);
  const CppCalls::Body body = writer.calls().body(output, "workspace");

  const std::vector<float>& state = writer.state();
  const std::string about = fmt::format("{}//\n// Weights: {} bytes. State: {} bytes. Workspace: {} bytes.\n",
                                        cpp_description(trace, model.name(), "Stream"), program.weight_bytes(),
                                        4 * state.size(), 4 * body.workspace);
  const std::string declarations = fmt::format(
      "// Elements of a step, and of the state.\n"
      "inline constexpr std::size_t input_size = {}, output_size = {}, state_size = {};\n"
      "// Steps before the first that has a result; they return 0.\n"
      "inline constexpr std::size_t latency = {};\n",
      input_size(trace), output.shape.size(), state.size(), stream.latency);
  const std::string functions = fmt::format(
      "// One time step after the other. Each thread needs its own.\n"
      "struct Stream {{\n"
      "  float state[{}];      // of earlier steps: plain numbers, which can be stored and restored\n"
      "  float workspace[{}];  // of one step\n\n"
      "  Stream() {{ reset(); }}\n\n"
      "  // Forgets all steps.\n"
      "  void reset() {{\n{}  }}\n\n"
      "  // Computes one step.\n"
      "  void step(const float* input, float* output) {{\n{}  }}\n}};\n",
      std::max<std::size_t>(state.size(), 1), std::max(body.workspace, Index{1}), reset_text(state), body.text);
  return program.text(about, declarations, functions);
}

}  // namespace cornu::detail
