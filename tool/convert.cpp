#include <CLI/CLI.hpp>
#include <filesystem>

#include "cornu/models/sequential.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

void require_can(bool can, const std::string& in, FileKind from, const std::string& out) {
  require<ValueError>(can,
                      "{}: {} cannot become {}; a model of Cornu can become .onnx and .h, and safetensors, ONNX, .npy, "
                      ".npz and IDX files .safetensors, .npz and .npy",
                      in, name_of(from), out);
}

/// An option that makes sense for files of one ending alone.
void only_for(bool given, const char* option, const std::string& out, const char* ending) {
  require<UsageError>(!given || out.ends_with(ending), "{} is for {} alone, not for {}", option, ending, out);
}

/// Leaves out what a model's file has beside the weights.
void keep_weights(std::vector<RawTensor>& list) {
  std::erase_if(list, [](const RawTensor& tensor) {
    return tensor.name.starts_with(detail::optimizer_prefix) || tensor.name.starts_with(detail::backup_prefix);
  });
}

/// What is said of the arrays; of a model's file no more than whose it is.
SafetensorsMetadata metadata_of(const Arrays& arrays) {
  const auto* file = std::get_if<SafetensorsFile>(&arrays.owner);
  if (file == nullptr) return {};
  SafetensorsMetadata metadata = file->metadata();
  metadata.erase("cornu.model");
  return metadata;
}

}  // namespace

void Convert::declare(CLI::App& app) {
  app.add_option("IN", in, "a model of Cornu, or arrays (safetensors, ONNX, .npy, .npz, IDX)")
      ->required()
      ->option_text(" ");
  app.add_option("OUT", out,
                 "what its name ends in: .onnx or .h for a model; .safetensors, .npz or .npy for arrays or weights")
      ->required()
      ->option_text(" ");
  app.add_option("--name", name, ".h: the namespace; else net")->option_text("NAME");
  app.add_flag("--int8", int8, ".h: weights of 8 bits");
  app.add_option("--class-names", class_names, ".onnx: what the outputs mean, separated by commas")
      ->delimiter(',')
      ->option_text("A,B,...");
  app.add_flag("--compressed", compressed, ".npz: smaller, and slower to read");
}

std::string Convert::run() const {
  only_for(!name.empty(), "--name", out, ".h");
  only_for(int8, "--int8", out, ".h");
  only_for(!class_names.empty(), "--class-names", out, ".onnx");
  only_for(compressed, "--compressed", out, ".npz");
  const FileKind from = kind_of_file(in);
  std::error_code ignored;
  require<ValueError>(!std::filesystem::equivalent(in, out, ignored), "{}: this is both IN and OUT", out);
  if (out.ends_with(".onnx") || out.ends_with(".h")) {
    require_can(from == FileKind::safetensors, in, from, out);
    convert_model();
  } else {
    require_can(has_arrays(from), in, from, out);
    convert_arrays(from);
  }
  return "";
}

void Convert::convert_model() const {
  const Sequential model = Sequential::load(in, {.compile = false});
  if (out.ends_with(".onnx")) {
    save_onnx(model, out, class_names);
    return;
  }
  ExportCppOptions options{.int8_weights = int8};
  if (!name.empty()) options.name = name;
  model.export_cpp(out, options);
}

void Convert::convert_arrays(FileKind from) const {
  Arrays arrays = read_arrays(in, from);
  keep_weights(arrays.list);
  if (out.ends_with(".safetensors")) {
    write_safetensors(out, arrays.list, metadata_of(arrays));
  } else if (out.ends_with(".npz")) {
    write_npz(out, arrays.list, {.compressed = compressed});
  } else {
    require_can(out.ends_with(".npy"), in, from, out);
    require<ValueError>(arrays.list.size() == 1, "{}: {} arrays, and a .npy file has one; .npz takes them all", in,
                        arrays.list.size());
    write_npy(out, arrays.list.front());
  }
}

}  // namespace cornu::tool
