#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>

#include "cornu/models/export_cpp_program.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/network.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

Names names_called(const std::string& text) {
  return text == "keras" ? Names::keras : text == "pytorch" ? Names::pytorch : Names::cornu;
}

void require_can(bool can, const std::string& in, FileKind kind, const std::string& out) {
  require<ValueError>(can,
                      "{}: {} cannot become {}; a model of Cornu can become .onnx and .h, and safetensors, ONNX, .npy, "
                      ".npz and IDX files .safetensors, .npz and .npy",
                      in, name_of(kind), out);
}

/// An option that makes sense for files of one ending alone.
void only_for(bool given, const char* option, const std::string& out, const char* ending) {
  require<UsageError>(!given || out.ends_with(ending), "{} is for {} alone, not for {}", option, ending, out);
}

/// What a file says of its arrays. Of a model of Cornu this is no more than whose it is, and what the optimizer
/// remembers is no weight.
SafetensorsMetadata take_metadata(Arrays& arrays) {
  const auto* file = std::get_if<SafetensorsFile>(&arrays.owner);
  if (file == nullptr) return {};
  SafetensorsMetadata metadata = file->metadata();
  metadata.erase(detail::csv_metadata);
  if (metadata.erase(detail::model_metadata) > 0) {
    std::erase_if(arrays.list,
                  [](const RawTensor& tensor) { return tensor.name.starts_with(detail::optimizer_prefix); });
  }
  return metadata;
}

/// The names of its outputs, if it carries the encoding of a table that has as many classes.
std::vector<std::string> classes_of(const Sequential& network) {
  if (!network.has_csv_encoding()) return {};
  const std::vector<std::string>& names = network.csv_encoding().class_names();
  const Shape outputs = network.output_shape();
  return outputs.rank() > 0 && outputs[-1] == std::ssize(names) ? names : std::vector<std::string>{};
}

}  // namespace

void Convert::declare(CLI::App& app) {
  const CLI::IsMember names({"cornu", "keras", "pytorch"});
  app.add_option("IN", in, "a model of Cornu, or arrays (safetensors, ONNX, .npy, .npz, IDX)")
      ->required()
      ->option_text(" ");
  app.add_option("OUT", out,
                 "what its name ends in: .onnx or .h for a model; .safetensors, .npz or .npy for arrays or weights")
      ->required()
      ->option_text(" ");
  app.add_option("--to", to, ".safetensors: weights of a model with the names and layouts of these")
      ->option_text("cornu|keras|pytorch")
      ->check(names);
  app.add_option("--model", model, "IN has weights for this model of Cornu, which becomes OUT")->option_text("FILE");
  app.add_option("--from", from, "--model: whose names and layouts IN has")
      ->option_text("cornu|keras|pytorch")
      ->check(names);
  app.add_option("--name", name, ".h: the namespace; else net")
      ->option_text("NAME")
      ->check(std::function<std::string(const std::string&)>([](const std::string& text) {
        return detail::is_free_name(text)
                   ? ""
                   : message("\"{}\" can be no namespace: no name, a keyword, reserved, or of the C library", text);
      }));
  app.add_flag("--int8", int8, ".h: weights of 8 bits");
  app.add_option("--class-names", class_names, ".onnx: what the outputs mean, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("A,B,...");
  app.add_flag("--compressed", compressed, ".npz: smaller, and slower to read");
}

std::string Convert::run() const {
  only_for(!name.empty(), "--name", out, ".h");
  only_for(int8, "--int8", out, ".h");
  only_for(!class_names.empty(), "--class-names", out, ".onnx");
  only_for(compressed, "--compressed", out, ".npz");
  only_for(!to.empty(), "--to", out, ".safetensors");
  require<UsageError>(from.empty() || !model.empty(), "--from is for --model alone");
  const FileKind kind = kind_of_file(in);
  std::error_code ignored;
  require<ValueError>(!std::filesystem::equivalent(in, out, ignored), "{}: this is both IN and OUT", out);
  if (out.ends_with(".onnx") || out.ends_with(".h") || !model.empty() || !to.empty()) {
    require_can(kind == FileKind::safetensors, in, kind, out);
    convert_model();
  } else {
    require_can(has_arrays(kind), in, kind, out);
    convert_arrays(kind);
  }
  return "";
}

void Convert::convert_model() const {
  Sequential network = load_model(SafetensorsFile(model.empty() ? in : model), {.compile = false});
  if (!model.empty()) network.load_weights(in, {.names = names_called(from)});
  if (out.ends_with(".onnx")) {
    save_onnx(network, out, class_names.empty() ? classes_of(network) : class_names);
  } else if (out.ends_with(".h")) {
    ExportCppOptions options{.int8_weights = int8};
    if (!name.empty()) options.name = name;
    network.export_cpp(out, options);
  } else {
    require_can(out.ends_with(".safetensors"), in, FileKind::safetensors, out);
    to.empty() ? network.save(out) : network.save_weights(out, {.names = names_called(to)});
  }
}

void Convert::convert_arrays(FileKind kind) const {
  Arrays arrays = read_arrays(in, kind);
  const SafetensorsMetadata metadata = take_metadata(arrays);
  if (out.ends_with(".safetensors")) {
    write_safetensors(out, arrays.list, metadata);
  } else if (out.ends_with(".npz")) {
    write_npz(out, arrays.list, {.compressed = compressed});
  } else {
    require_can(out.ends_with(".npy"), in, kind, out);
    require<ValueError>(arrays.list.size() == 1, "{}: {} arrays, and a .npy file has one; .npz takes them all", in,
                        arrays.list.size());
    write_npy(out, arrays.list.front());
  }
}

}  // namespace cornu::tool
