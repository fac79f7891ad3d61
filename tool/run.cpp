#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cornu/core/text/listed.h"
#include "cornu/core/text/printable.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/network.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

struct NamedFile {
  std::string name, file;  // the name is empty if it is not given
};

/// "name=file"; a file that exists under the whole text has no name.
NamedFile named_file(const std::string& text) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos) return {"", text};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// The files by the names of the ports: those without a name belong to the first ports without a file.
std::map<std::string, std::string> files_of(const std::vector<std::string>& given,
                                            const std::vector<std::string>& ports, const char* option) {
  std::map<std::string, std::string> result;
  std::vector<std::string> unnamed;
  for (const std::string& text : given) {
    const NamedFile each = named_file(text);
    if (each.name.empty()) {
      unnamed.push_back(each.file);
      continue;
    }
    require<UsageError>(std::find(ports.begin(), ports.end(), each.name) != ports.end(),
                        "{} {}: the model has no '{}'; it has {}", option, text, each.name,
                        cornu::detail::listed(ports));
    require<UsageError>(result.emplace(each.name, each.file).second, "{} {}: '{}' is given twice", option, text,
                        each.name);
  }
  for (const std::string& port : ports) {
    if (unnamed.empty()) break;
    if (result.contains(port)) continue;
    result[port] = unnamed.front();
    unnamed.erase(unnamed.begin());
  }
  require<UsageError>(unnamed.empty(), "{} {}: the model has only {}", option, unnamed.empty() ? "" : unnamed.front(),
                      cornu::detail::listed(ports));
  return result;
}

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
  const FileKind kind = kind_of_file(model);
  require<ValueError>(kind == FileKind::onnx, "{}: {}; 'cornu run' takes an ONNX model, 'cornu predict' a Cornu model",
                      model, name_of(kind));
  const OnnxGraph graph(model);
  const auto sources = files_of(inputs, graph.input_names(), "--input"),
             targets = files_of(outputs, graph.output_names(), "--output");
  for (const auto& [name, file] : targets) {
    require<UsageError>(file.ends_with(".npy"), "--output: {}: its name must end in .npy", file);
  }
  std::vector<std::string> missing;
  for (const std::string& name : graph.input_names()) {
    if (!sources.contains(name)) missing.push_back(name);
  }
  require<UsageError>(missing.empty(), "{}: no --input for {}", model, cornu::detail::listed(missing));
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
