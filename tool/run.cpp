#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "cornu/core/text/printable.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/keras_files.h"
#include "cornu/tool/network.h"
#include "cornu/tool/onnx_files.h"
#include "cornu/tool/ports.h"

namespace cornu::tool {

namespace {

/// Name, type and shape, then a line of numbers for each position of all axes but the last.
std::string text_of(const GraphOutput& output) {
  const Index columns = output.shape.rank() == 0 ? 1 : output.shape[-1];
  std::string text = fmt::format("{}: {} {}\n", detail::printable(output.name), output.type, to_string(output.shape));
  for (Index begin = 0; columns > 0 && begin < output.shape.size(); begin += columns) {
    const auto at = static_cast<std::size_t>(begin), count = static_cast<std::size_t>(columns);
    text += output.integers.empty()
                ? fmt::format("{}\n", fmt::join(std::span(output.real.data() + begin, count), ","))
                : fmt::format("{}\n", fmt::join(std::span(output.integers).subspan(at, count), ","));
  }
  return text;
}

void write(const std::string& file, const GraphOutput& output) {
  if (output.is_real) return write_npy(file, output.real);
  const auto dimensions = output.shape.dimensions();
  write_npy(file, RawTensor{.name = output.name,
                            .dtype = Dtype::i64,
                            .shape = {dimensions.begin(), dimensions.end()},
                            .bytes = std::as_bytes(std::span(output.integers))});
}

}  // namespace

void Run::declare(CLI::App& app) {
  app.add_option("MODEL", model, "an ONNX model")->required()->option_text(" ");
  app.add_option("-i,--input", inputs,
                 "an input as a .npy file, by its name; without a name, the first input that has no file")
      ->option_text("[NAME=]FILE");
  app.add_option("-o,--output", outputs,
                 "write an output to a .npy file; without a name, the first output that has no file. Other outputs are "
                 "not printed then")
      ->option_text("[NAME=]FILE");
}

std::string Run::run() const {
  const FileKind kind = is_keras(model) ? FileKind::keras : kind_of_file(model);
  require<ValueError>(kind == FileKind::onnx,
                      "{}: {}; 'cornu run' takes an ONNX model, 'cornu predict' a Cornu or Keras model", model,
                      name_of(kind));
  const OnnxGraph graph(model);
  const auto sources = files_of(inputs, graph.input_names(), "--input "),
             targets = files_of(outputs, graph.output_names(), "--output ");
  for (const auto& [name, file] : targets) {
    require<UsageError>(file.ends_with(".npy"), "--output: {}: its name must end in .npy", file);
  }
  require_all(sources, graph.input_names(), model, "--input");
  std::map<std::string, NpyFile> files;
  for (const auto& [name, file] : sources) files.emplace(name, file);
  std::map<std::string, RawTensor> arrays;
  for (const auto& [name, file] : files) arrays.emplace(name, file.array());
  std::string text;
  for (const GraphOutput& output : graph.run(arrays)) {
    const auto target = targets.find(output.name);
    if (target != targets.end()) write(target->second, output);
    if (targets.empty()) text += text_of(output);
  }
  return text;
}

}  // namespace cornu::tool
