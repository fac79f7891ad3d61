#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <list>

#include "cornu/core/listed.h"
#include "cornu/core/write_text.h"
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

/// Says what OUT lacks. The conversion has succeeded, whether this can be printed or not.
void say_left_out(const std::string& out, const std::vector<std::string>& left_out) {
  if (left_out.empty()) return;
  std::string text = message("{}: left out:", out);
  for (const std::string& what : left_out) text += message("\n  {}", what);
  detail::write_text(stdout, text + '\n');
}

/// A few of many names.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), most));
  const std::vector<std::string> first(names.begin(), names.begin() + shown);
  return detail::listed(first) + (names.size() > most ? message(" and {} more", names.size() - most) : "");
}

std::vector<std::string> keys_of(const SafetensorsMetadata& metadata) {
  std::vector<std::string> result;
  for (const auto& [key, value] : metadata) {
    if (key != "format") result.push_back(key);  // whose program wrote the file
  }
  return result;
}

/// Takes out the optimizer's state and the description of a model of Cornu, which no file of arrays is to have: it
/// would be taken for that model. Returns what else the file says of its arrays; `left_out` hears what was taken out.
SafetensorsMetadata take_metadata(Arrays& arrays, std::vector<std::string>& left_out) {
  const auto* file = std::get_if<SafetensorsFile>(&arrays.owner);
  if (file == nullptr) return {};
  SafetensorsMetadata metadata = file->metadata();
  metadata.erase(detail::csv_metadata);
  if (metadata.erase(detail::model_metadata) > 0) {
    std::erase_if(arrays.list,
                  [](const RawTensor& tensor) { return tensor.name.starts_with(detail::optimizer_prefix); });
    left_out.emplace_back("the model's layers and its training state (only weights are written)");
  }
  return metadata;
}

/// BF16 and 8-bit floats as F32, which holds all their values and which NumPy knows. `owner` keeps them.
std::vector<RawTensor> known_to_numpy(const std::vector<RawTensor>& arrays, std::list<std::vector<Real>>& owner) {
  static_assert(sizeof(Real) >= sizeof(float));
  std::vector<RawTensor> result = arrays;
  for (RawTensor& array : result) {
    if (array.dtype != Dtype::bf16 && array.dtype < Dtype::f8_e4m3) continue;
    std::vector<Real>& values = owner.emplace_back(array.bytes.size() / static_cast<std::size_t>(size_of(array.dtype)));
    const View view(values.data(), {std::ssize(values)});
    convert(array, view);
    array.dtype = sizeof(Real) == 8 ? Dtype::f64 : Dtype::f32;
    array.bytes = std::as_bytes(std::span(values));
  }
  return result;
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
  std::vector<std::string> left_out;
  if (out.ends_with(".onnx")) {
    save_onnx(network, out, class_names.empty() ? classes_of(network) : class_names);
  } else if (out.ends_with(".h")) {
    ExportCppOptions options{.int8_weights = int8};
    if (!name.empty()) options.name = name;
    network.export_cpp(out, options);
  } else {
    require_can(out.ends_with(".safetensors"), in, FileKind::safetensors, out);
    if (to.empty()) {
      network.save(out);
      left_out.emplace_back("how the model is trained: its loss, its optimizer and what that remembers");
    } else {
      network.save_weights(out, {.names = names_called(to)});
    }
  }
  say_left_out(out, left_out);
}

void Convert::convert_arrays(FileKind kind) const {
  Arrays arrays = read_arrays(in, kind);
  std::vector<std::string> left_out;
  const SafetensorsMetadata metadata = take_metadata(arrays, left_out);
  if (const auto* weights = std::get_if<OnnxWeights>(&arrays.owner)) {
    left_out.emplace_back("the graph (only weights are written)");
    if (!weights->left_out.empty())
      left_out.push_back("initializers that are not floats: " + some_of(weights->left_out));
  }
  for (const UnreadArray& array : arrays.unread) left_out.push_back(message("\"{}\" ({})", array.name, array.reason));
  if (out.ends_with(".safetensors")) {
    write_safetensors(out, arrays.list, metadata);
  } else if (out.ends_with(".npz")) {
    std::list<std::vector<Real>> owner;
    write_npz(out, known_to_numpy(arrays.list, owner), {.compressed = compressed});
    if (const auto keys = keys_of(metadata); !keys.empty()) left_out.push_back("metadata: " + some_of(keys));
  } else {
    require_can(out.ends_with(".npy"), in, kind, out);
    require<ValueError>(arrays.list.size() == 1, "{}: {} arrays, and a .npy file has one; .npz takes them all", in,
                        arrays.list.size());
    std::list<std::vector<Real>> owner;
    write_npy(out, known_to_numpy(arrays.list, owner).front());
    if (const auto keys = keys_of(metadata); !keys.empty()) left_out.push_back("metadata: " + some_of(keys));
  }
  say_left_out(out, left_out);
}

}  // namespace cornu::tool
