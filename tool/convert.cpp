#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <list>

#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/models/export_cpp/program.h"
#include "cornu/models/saving/saving.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/conversions.h"
#include "cornu/tool/keras_files.h"
#include "cornu/tool/network.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

Names names_called(const std::string& text) {
  return text == "keras" ? Names::keras : text == "pytorch" ? Names::pytorch : Names::cornu;
}

/// Checks an option that applies only to files with one ending.
void only_for(bool given, const char* option, const std::string& out, const char* ending) {
  require<UsageError>(!given || out.ends_with(ending), "{} applies only to {}, not to {}", option, ending, out);
}

/// The first names of a list, and the number of the others.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), most));
  const std::vector<std::string> first(names.begin(), names.begin() + shown);
  return detail::listed(first) + (names.size() > most ? message(" and {} more", names.size() - most) : "");
}

// ---- The parts of a model file, and the formats that keep them ----

/// The target of a conversion, as bits: a model (.safetensors), a graph (.onnx), a header (.h), arrays.
enum Becomes : unsigned { as_model = 1, as_graph = 2, as_header = 4, as_arrays = 8 };

/// A part of a model file.
struct Part {
  const char* name;
  bool (*is_there)(const Json& description, const SafetensorsFile& file);
  unsigned kept_by;
};

bool has_frozen(const Json& description, const SafetensorsFile&) {
  return !detail::list_of(description.at("frozen")).empty();
}
bool has_steps(const Json& description, const SafetensorsFile&) {
  const Json* const seen = description.find("seen");
  return seen != nullptr && value_of<Index>(seen->at("steps")) > 0;
}
constexpr std::array parts{
    Part{"the layers (only weights are written)", [](const Json&, const SafetensorsFile&) { return true; },
         as_model | as_graph | as_header},
    Part{"its compile settings: optimizer, loss, metrics",
         [](const Json& description, const SafetensorsFile&) { return description.find("compile") != nullptr; }, 0},
    Part{"the state of its optimizer",
         [](const Json& description, const SafetensorsFile&) { return description.find("optimizer") != nullptr; }, 0},
    Part{"its training progress and the state of its random streams", has_steps, as_model},
    Part{"which parameters are frozen", has_frozen, as_model},
    Part{"the encoding of its training table",
         [](const Json&, const SafetensorsFile& file) { return file.metadata().contains(detail::csv_metadata); },
         as_model},
};

/// The keys of metadata that Cornu does not interpret.
std::vector<std::string> keys_of(const SafetensorsMetadata& metadata) {
  std::vector<std::string> result;
  for (const auto& [key, value] : metadata) {
    const bool is_known = key == "format" || key == detail::model_metadata || key == detail::csv_metadata;
    if (!is_known) result.push_back(key);  // "format" names the program that wrote the file
  }
  return result;
}

/// The parts of a safetensors file that `becomes` does not keep. A file with only weights has no such parts.
std::vector<std::string> lost(const SafetensorsFile& file, Becomes becomes) {
  std::vector<std::string> result;
  if (file.metadata().contains(detail::model_metadata)) {
    const Json description = detail::described_in(file.content(), detail::model_metadata);
    for (const Part& part : parts) {
      if ((part.kept_by & becomes) == 0 && part.is_there(description, file)) result.emplace_back(part.name);
    }
  }
  return result;
}

/// Removes the optimizer's state and the model description of Cornu: a file of arrays with a description would be read
/// as a model. Returns the remaining metadata.
SafetensorsMetadata take_metadata(Arrays& from) {
  const auto* file = std::get_if<SafetensorsFile>(&from.owner);
  if (file == nullptr) return {};
  SafetensorsMetadata metadata = file->metadata();
  metadata.erase(detail::csv_metadata);
  if (metadata.erase(detail::model_metadata) > 0) {
    std::erase_if(from.list, [](const RawTensor& tensor) { return tensor.name.starts_with(detail::optimizer_prefix); });
  }
  return metadata;
}

/// Converts BF16 and 8-bit floats, which NumPy does not know, to F32, which holds all their values. `owner` stores the
/// results.
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

/// The class names of the model's CSV encoding, if there is one per output.
std::vector<std::string> classes_of(const Sequential& network) {
  if (!network.has_csv_encoding()) return {};
  const std::vector<std::string>& names = network.csv_encoding().class_names();
  const Shape outputs = network.output_shape();
  return outputs.rank() > 0 && outputs[-1] == std::ssize(names) ? names : std::vector<std::string>{};
}

}  // namespace

void Convert::declare(CLI::App& app) {
  const CLI::IsMember names({"cornu", "keras", "pytorch"});
  app.add_option(
         "IN", in,
         "a Cornu or Keras model, or arrays (safetensors, PyTorch's .pt, Keras's .weights.h5, ONNX, .npy, .npz, IDX)")
      ->required()
      ->option_text(" ");
  app.add_option("OUT", out,
                 "the format is that of the file's ending: .onnx or .h for a model; .safetensors, .npz or .npy for "
                 "arrays or weights")
      ->required()
      ->option_text(" ");
  app.add_option("--to", to, "for .safetensors: write only weights, with these names and layouts")
      ->option_text("cornu|keras|pytorch")
      ->check(names);
  app.add_option("--model", model, "IN holds weights for this Cornu model; OUT is the model with them")
      ->option_text("FILE");
  app.add_option("--from", from, "with --model: the names and layouts of the weights in IN")
      ->option_text("cornu|keras|pytorch")
      ->check(names);
  app.add_option("--name", name, "for .h: the namespace (default: net)")
      ->option_text("NAME")
      ->check(std::function<std::string(const std::string&)>([](const std::string& text) {
        return detail::can_be_namespace(text) ? ""
                                              : message(
                                                    "\"{}\" cannot be a namespace (it is not an identifier, or is a "
                                                    "keyword or reserved)",
                                                    text);
      }));
  app.add_flag("--int8", int8, "for .h: 8-bit weights");
  app.add_option("--class-names", class_names, "for .onnx: names of the outputs, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("A,B,...");
  app.add_flag("--compressed", compressed, "for .npz: compress (smaller, slower to read)");
}

std::string Convert::run() const {
  only_for(!name.empty(), "--name", out, ".h");
  only_for(int8, "--int8", out, ".h");
  only_for(!class_names.empty(), "--class-names", out, ".onnx");
  only_for(compressed, "--compressed", out, ".npz");
  only_for(!to.empty(), "--to", out, ".safetensors");
  require<UsageError>(from.empty() || !model.empty(), "--from requires --model");
  const FileKind kind = is_keras_weights(in) ? FileKind::hdf5 : is_keras(in) ? FileKind::keras : kind_of_file(in);
  std::error_code ignored;
  require<ValueError>(!std::filesystem::equivalent(in, out, ignored), "{}: IN and OUT are the same file", out);
  const Source source{in, kind};
  source.require_can_become(out, !model.empty(), !to.empty());
  const bool is_model = out.ends_with(".onnx") || out.ends_with(".h") || !model.empty() || !to.empty();
  const std::vector<std::string> left_out = kind == FileKind::keras && model.empty() ? convert_keras()
                                            : is_model                               ? convert_model(kind)
                                                                                     : convert_arrays(kind);
  if (left_out.empty()) return "";
  std::string text = message("{}: left out:", out);
  for (const std::string& what : left_out) text += message("\n  {}", what);
  return text + '\n';
}

std::vector<std::string> Convert::convert_keras() const {
  Sequential network = load_keras(in, {});
  std::vector<std::string> left_out;
  unsigned becomes = as_arrays;
  if (out.ends_with(".npz") || out.ends_with(".npy")) {
    std::vector<RawTensor> arrays;
    for (const auto& [key, parameter] : network.parameters()) arrays.push_back(raw_tensor(key, parameter->value));
    left_out = write_arrays(arrays, true);
  } else {
    becomes = write_model(network);
  }
  if (becomes == as_arrays) left_out.emplace_back(parts[0].name);
  if (network.compiled()) {
    if (becomes != as_model) left_out.emplace_back("its compile settings: optimizer, loss, metrics");
    left_out.emplace_back("the state of its optimizer");
  }
  return left_out;
}

void Convert::load_weights(Sequential& network, FileKind kind) const {
  if (kind == FileKind::keras || kind == FileKind::hdf5) return load_keras_weights(network, in);
  if (kind == FileKind::npz) {
    require<UsageError>(from.empty() || from == "cornu",
                        "--from {} applies to safetensors and PyTorch files; convert {} to .safetensors first", from,
                        in);
    const Arrays arrays = read_arrays(in, kind);
    const NamedTensors tensors(in, arrays.list, arrays.unread);
    return detail::naming(in, [&] { detail::get_weights(tensors, network.parameters(), {}); });
  }
  LoadWeightsOptions options;
  if (!from.empty()) options.names = names_called(from);
  network.load_weights(in, options);
}

std::vector<std::string> Convert::convert_model(FileKind kind) const {
  if (!model.empty() && is_keras_weights(model)) fail_without_model(model);
  require<FormatError>(model.empty() || !is_keras(model),
                       "--model {}: a Keras model; 'cornu convert {} MODEL.safetensors' makes a Cornu model of it",
                       model, model);
  const SafetensorsFile file(model.empty() ? in : model);
  Sequential network = load_model(file, {.compile = false});
  if (!model.empty()) load_weights(network, kind);
  const auto becomes = static_cast<Becomes>(write_model(network));
  std::vector<std::string> left_out = lost(file, becomes);
  if (const auto keys = keys_of(file.metadata()); !keys.empty()) left_out.push_back("metadata: " + some_of(keys));
  return left_out;
}

unsigned Convert::write_model(const Sequential& network) const {
  Becomes becomes = as_model;
  if (out.ends_with(".onnx")) {
    becomes = as_graph;
    save_onnx(network, out, class_names.empty() ? classes_of(network) : class_names);
  } else if (out.ends_with(".h")) {
    becomes = as_header;
    ExportCppOptions options{.int8_weights = int8};
    if (!name.empty()) options.name = name;
    network.export_cpp(out, options);
  } else {
    if (to.empty()) {
      network.save(out);
    } else {
      becomes = as_arrays;
      network.save_weights(out, {.names = names_called(to)});
    }
  }
  return becomes;
}

std::vector<std::string> Convert::convert_arrays(FileKind kind) const {
  Arrays from_in = read_arrays(in, kind);
  std::vector<std::string> left_out, keys;
  if (const auto* file = std::get_if<SafetensorsFile>(&from_in.owner)) {
    left_out = lost(*file, as_arrays);
    keys = keys_of(file->metadata());
  }
  const SafetensorsMetadata metadata = take_metadata(from_in);
  if (const auto* weights = std::get_if<OnnxWeights>(&from_in.owner)) {
    left_out.emplace_back("the graph (only weights are written)");
    if (!weights->left_out.empty())
      left_out.push_back("initializers that are not floats: " + some_of(weights->left_out));
    if (!weights->metadata.empty()) left_out.push_back("metadata: " + some_of(weights->metadata));
  }
  for (const UnreadArray& array : from_in.unread) {
    left_out.push_back(message("\"{}\" ({})", array.name, array.reason));
  }
  if (out.ends_with(".safetensors")) {
    write_safetensors(out, from_in.list, metadata);
    return left_out;
  }
  const bool have_names = kind != FileKind::npy && kind != FileKind::idx && kind != FileKind::gzip;
  for (std::string& what : write_arrays(from_in.list, have_names)) left_out.push_back(std::move(what));
  if (!keys.empty()) left_out.push_back("metadata: " + some_of(keys));
  return left_out;
}

std::vector<std::string> Convert::write_arrays(const std::vector<RawTensor>& arrays, bool have_names) const {
  std::list<std::vector<Real>> owner;
  if (out.ends_with(".npz")) {
    write_npz(out, known_to_numpy(arrays, owner), {.compressed = compressed});
    return {};
  }
  require<ValueError>(arrays.size() == 1, "{}: {} arrays, but a .npy file holds one; use .npz", in, arrays.size());
  write_npy(out, known_to_numpy(arrays, owner).front());
  const std::string& own = arrays.front().name;
  if (!have_names || own == stem_of(out)) return {};
  return {message("the name \"{}\"", own)};
}

}  // namespace cornu::tool
