#include "cornu/models/export_cpp/export_cpp.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/autodiff/op_rows.h"
#include "cornu/core/autodiff/rewrites.h"
#include "cornu/core/error.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/models/export_cpp/program.h"
#include "cornu/models/export_cpp/rows.h"
#include "cornu/models/export_cpp/streamer.h"
#include "cornu/models/export_cpp/trace_writer.h"
#include "cornu/models/export_cpp/trainer.h"
#include "cornu/models/require_values.h"
#include "cornu/models/sequential.h"
#include "cornu/models/trace.h"

namespace cornu {

// ---- The rows ----

namespace {

detail::OpRows<CppRow>& rows() {
  static detail::OpRows<CppRow> all(
      "register_cpp_op", {detail::cpp_pointwise_rows(), detail::cpp_product_rows(), detail::cpp_image_rows(),
                          detail::cpp_shape_rows(), detail::cpp_selection_rows(), detail::cpp_sequence_rows(),
                          detail::cpp_stream_rows(), detail::cpp_indexing_rows()});
  return all;
}

}  // namespace

void register_cpp_op(std::string op, CppRow row) { rows().add(std::move(op), std::move(row)); }
const CppRow* detail::cpp_row_of(std::string_view op) { return rows().find(op); }
std::vector<std::string> detail::cpp_op_names() { return rows().names(); }

// ---- The header ----

namespace {

/// The ops to write. A product of trained parameters must not become a constant.
Trace rewritten(const Sequential& model, const detail::CppTrained& trained) {
  Trace trace = detail::trace_of_sample(model, detail::is_one_cpp_call);
  std::vector<bool> learns(trace.values.size());
  for (Trace::Op& op : trace.ops) {
    const bool reads = std::any_of(op.operands.begin(), op.operands.end(), [&](std::size_t operand) {
      return learns[operand] || trained.offset(trace.values[operand]);
    });
    if (!reads) continue;
    learns[op.result] = true;
    const bool is_parameter = op.name == "reshape" && trace.operand(op, 0).data.data() != nullptr;  // of another shape
    if (!is_parameter) trace.values[op.result].data = {};
  }
  fold_constants(trace);
  merge_equal_ops(trace);
  if (trained.size > 0) merge_transposes(trace);  // a transpose has a gradient, a transposed product has none
  fuse_bias(trace);
  if (trained.size == 0) fold_batch_normalization(trace);
  remove_unused_ops(trace);
  return trace;
}

std::string predictor(const Sequential& model, const ExportCppOptions& options) {
  const detail::CppTrained trained = options.trainable ? detail::trained_parameters(model) : detail::CppTrained{};
  const Trace trace = rewritten(model, trained);
  detail::CppProgram program(options);
  detail::CppArrays arrays;
  detail::CppTraceWriter writer(trace, program, arrays, trained);
  for (const Trace::Op& op : trace.ops) writer.write(op);
  const CppValue output = writer.output(trace.outputs.front());
  const detail::CppCalls::Body body = writer.calls().body(output, "workspace.memory");
  const detail::CppTrainer trainer =
      options.trainable ? detail::write_trainer(model, trace, program, arrays, trained) : detail::CppTrainer{};

  const std::string about = fmt::format("{}//\n// Weights: {} bytes. Workspace: {} bytes.\n{}",
                                        detail::cpp_description(trace, model.name(), "Predictor"),
                                        program.weight_bytes(), 4 * body.workspace, trainer.about);
  const std::string declarations = fmt::format(
      "// Elements of a sample.\n"
      "inline constexpr std::size_t input_size = {}, output_size = {};\n\n"
      "// Scratch memory of a prediction. Each thread needs its own.\n"
      "struct Workspace {{\n  float memory[{}];\n}};\n{}",
      detail::input_size(trace), output.shape.size(), std::max(body.workspace, Index{1}), trainer.declarations);
  const std::string unused = body.workspace == 0 ? "  static_cast<void>(workspace);\n" : "";
  const std::string first =
      !options.trainable
          ? fmt::format("inline void predict(const float* input, float* output, Workspace& workspace) {{\n{}{}}}\n",
                        unused, body.text)
          : fmt::format(
                "// Predicts with other weights, such as those of a Trainer.\n"
                "inline void predict(const float* input, float* output, const float* weights, Workspace& workspace) "
                "{{\n{}{}}}\n\n"
                "inline void predict(const float* input, float* output, Workspace& workspace) {{\n"
                "  predict(input, output, {}, workspace);\n}}\n",
                unused, body.text, trainer.initial);
  const std::string functions =
      first +
      "\ninline void predict(const float* input, float* output) {\n  Workspace workspace;\n"
      "  predict(input, output, workspace);\n}\n\n"
      "// `count` samples, one after the other.\n"
      "inline void predict(const float* input, float* output, std::size_t count, Workspace& workspace) {\n"
      "  for (; count > 0; --count, input += input_size, output += output_size) predict(input, output, workspace);\n"
      "}\n" +
      (options.trainable ? "\n" + trainer.functions : "");
  return program.text(about, declarations, functions);
}

}  // namespace

std::string to_cpp(const Sequential& model, const ExportCppOptions& options) {
  require<StateError>(model.built(), "{}: export_cpp: not built yet, so there are no weights", model.name());
  require<ValueError>(detail::can_be_namespace(options.name),
                      "export_cpp: name is \"{}\"; an identifier is required that is not a keyword or reserved",
                      options.name);
  require<ValueError>(!options.trainable || !options.int8_weights, "export_cpp: int8_weights cannot be trained");
  require<ValueError>(!options.trainable || !options.streaming, "export_cpp: a header cannot be trainable and stream");
  detail::require_values(model);
  if (!options.streaming) detail::require_one_length(model, "export_cpp");
  try {
    return options.streaming ? detail::cpp_stream(model, options) : predictor(model, options);
  } catch (Error& error) {
    error.add_context("export_cpp");
    throw;
  }
}

void Sequential::export_cpp(const std::string& path, const ExportCppOptions& options) const {
  const std::string text = to_cpp(*this, options);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cornu
