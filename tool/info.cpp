#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/options/registry.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/core/text/printable.h"
#include "cornu/datasets/csv/encoding.h"
#include "cornu/formats/json.h"
#include "cornu/models/metrics/registry.h"
#include "cornu/models/sequential.h"
#include "cornu/models/sequential_state.h"
#include "cornu/optim/registry.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/keras_files.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

/// Aligns columns with two spaces between them; the last column is not padded.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += row.back() + '\n';
  }
  return text;
}

/// Strings with control characters escaped; other values as JSON.
std::string shown(const Json& json) {
  const auto* text = json.as<std::string>();
  return detail::printable(text != nullptr ? *text : to_string(json));
}

/// "(784, 128)", with None for an open dimension.
std::string shape_text(const Json& shape) {
  const auto* dimensions = shape.as<Json::Array>();
  if (dimensions == nullptr) return "any";
  const auto text_of_one = [](const Json& each) { return each.is_null() ? "None" : shown(each); };
  return "(" + detail::listed(*dimensions, text_of_one) + (dimensions->size() == 1 ? ",)" : ")");
}

// ---- Arrays ----

Json json_of(const std::vector<RawTensor>& tensors) {
  Json::Array result;
  for (const RawTensor& tensor : tensors) {
    Json::Array shape;
    for (const Index dimension : tensor.shape) shape.emplace_back(std::int64_t{dimension});
    result.emplace_back(Json::Object{{"name", tensor.name},
                                     {"type", to_string(tensor.dtype)},
                                     {"shape", std::move(shape)},
                                     {"bytes", static_cast<std::int64_t>(tensor.bytes.size())}});
  }
  return result;
}

Json json_of(const std::vector<UnreadArray>& unread) {
  Json::Array result;
  for (const UnreadArray& array : unread) {
    result.emplace_back(Json::Object{{"name", array.name}, {"type", array.type}, {"reason", array.reason}});
  }
  return result;
}

std::string text_of(const std::vector<UnreadArray>& unread) {
  std::string text;
  for (const UnreadArray& array : unread) {
    text += fmt::format("Not read: {}: {}\n", detail::printable(array.name), detail::printable(array.reason));
  }
  return text;
}

std::string text_of(const std::vector<RawTensor>& tensors) {
  std::vector<std::vector<std::string>> rows{{"Name", "Type", "Shape", "Bytes"}};
  std::size_t numbers = 0, bytes = 0;
  for (const RawTensor& tensor : tensors) {
    rows.push_back({detail::printable(tensor.name), to_string(tensor.dtype), to_string(std::span(tensor.shape)),
                    std::to_string(tensor.bytes.size())});
    bytes += tensor.bytes.size();
    numbers += tensor.bytes.size() / static_cast<std::size_t>(size_of(tensor.dtype));
  }
  const auto count = fmt::format("{} array{}", tensors.size(), tensors.size() == 1 ? "" : "s");
  return table(rows) + fmt::format("{}, {} elements, {} bytes\n", count, numbers, bytes);
}

Json json_of(const SafetensorsMetadata& metadata) {
  Json::Object result;
  for (const auto& [key, value] : metadata) result.emplace_back(key, value);
  return result;
}

/// One line per member of an object.
std::string lines_of(const Json& object) {
  std::string text;
  for (const auto& [key, value] : *object.as<Json::Object>()) {
    text += fmt::format("  {}: {}\n", detail::printable(key), shown(value));
  }
  return text;
}

// ---- Cornu models ----

/// A loss, an optimizer and so on as its type and options: "SGD(learning_rate=0.1, momentum=0.9)".
std::string object_text(const Json& object) {
  const Json* const type = object.find("class_name");
  if (type == nullptr) return shown(object);
  std::string options;
  if (const Json* const config = object.find("config"); config != nullptr && config->as<Json::Object>() != nullptr) {
    options = detail::listed(*config->as<Json::Object>(), [](const auto& option) {
      return detail::printable(option.first) + "=" + object_text(option.second);
    });
  }
  return shown(*type) + "(" + options + ")";
}

/// Throws FormatError if a member cannot be read as a T. Types registered only by another program are accepted.
template <class T>
void check(const Json& object, const char* name) {
  const Json& member = object.at(name);
  try {
    detail::naming(name, [&] { static_cast<void>(value_of<T>(member)); });
  } catch (const UnregisteredError&) {
  }
}

std::string compile_text(const Json& description) {
  const Json* const compile = description.find("compile");
  if (compile == nullptr) return "Not compiled\n";
  check<AnyOptimizer>(*compile, "optimizer");
  check<AnyLoss>(*compile, "loss");
  check<std::vector<AnyMetric>>(*compile, "metrics");
  std::string text = fmt::format("Optimizer: {}\nLoss: {}\nMetrics:", object_text(compile->at("optimizer")),
                                 object_text(compile->at("loss")));
  const auto metrics_text = [](const Json& list) {
    const Json::Array& metrics = detail::list_of(list);
    return metrics.empty() ? "none" : detail::listed(metrics, object_text);
  };
  text += " " + metrics_text(compile->at("metrics"));
  if (const Json* const weighted = compile->find("weighted_metrics")) {
    check<std::vector<AnyMetric>>(*compile, "weighted_metrics");
    text += "\nWeighted metrics: " + metrics_text(*weighted);
  }
  const Json* const optimizer = description.find("optimizer");
  if (optimizer == nullptr)
    return text + "\nTraining state: none (the optimizer made no step, or its state was not saved)\n";
  check<Index>(*optimizer, "iterations");
  return text + fmt::format("\nTraining state: after {} steps\n", shown(optimizer->at("iterations")));
}

/// The summary of the layers, or a list of the weights if a layer's type is not registered in this program.
std::string layers_text(const SafetensorsFile& file) {
  try {
    return to_string(Sequential::load(file, {.compile = false}), {.expand_nested = true});
  } catch (const UnregisteredError& error) {
    return text_of(file.tensors()) + text_of(file.unread()) +
           fmt::format("The model cannot be loaded: {}\n", error.what());
  }
}

/// The columns of the table that the model was trained on, if it has an encoding.
std::string table_text(const SafetensorsFile& file) {
  const auto found = file.metadata().find(detail::csv_metadata);
  if (found == file.metadata().end()) return "";
  const CsvEncoding encoding = parse_csv_encoding(found->second);
  std::string text = "Table: " + detail::listed(encoding.features, &CsvEncodedColumn::name);
  if (encoding.target) text += " -> " + encoding.target->name;
  if (!encoding.class_names().empty()) text += " (" + detail::listed(encoding.class_names()) + ")";
  return detail::printable(text) + '\n';
}

std::string model_info(const SafetensorsFile& file, bool json) {
  const std::string layers = layers_text(file);
  return detail::naming(file.path(), [&] {
    const Json description = detail::described_in(file.content(), detail::model_metadata);
    check<Shape>(description, "build_input_shape");
    std::string text = fmt::format("{}: Cornu model, format version {}\n\n{}Input: {}\n{}{}",
                                   detail::printable(file.path()), shown(description.at("version")), layers,
                                   detail::pattern_text(value_of<Shape>(description.at("build_input_shape"))),
                                   table_text(file), compile_text(description));
    if (!json) return text;
    Json::Object result{{"format", "cornu"}, {"model", description}, {"tensors", json_of(file.tensors())}};
    const auto table = file.metadata().find(detail::csv_metadata);
    if (table != file.metadata().end()) result.emplace_back("csv_encoding", parse_json(table->second));
    return to_string(Json(std::move(result))) + '\n';
  });
}

std::string safetensors_info(const std::string& path, bool json) {
  const SafetensorsFile file(path);
  if (file.metadata().find(detail::model_metadata) != file.metadata().end()) return model_info(file, json);
  if (json) {
    Json result = Json::Object{
        {"format", "safetensors"}, {"metadata", json_of(file.metadata())}, {"tensors", json_of(file.tensors())}};
    if (!file.unread().empty()) result.set("unread", json_of(file.unread()));
    return to_string(result) + '\n';
  }
  std::string text = fmt::format("{}: safetensors\n", detail::printable(path));
  if (!file.metadata().empty()) text += "Metadata:\n" + lines_of(json_of(file.metadata()));
  return text + '\n' + text_of(file.tensors()) + text_of(file.unread());
}

// ---- ONNX ----

std::string ports_text(const Json& ports) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& port : *ports.as<Json::Array>()) {
    rows.push_back({"  " + shown(port.at("name")), shown(port.at("type")), shape_text(port.at("shape"))});
    if (port.find("external") != nullptr) rows.back().push_back("in another file");
  }
  return table(rows);
}

std::string onnx_info(const std::string& path, bool json) {
  Json described = describe_onnx(path);
  if (json) {
    Json result = Json::Object{{"format", "onnx"}};
    for (auto& [key, value] : *described.as<Json::Object>()) result.set(key, std::move(value));
    return to_string(result) + '\n';
  }
  std::string text = fmt::format("{}: ONNX, IR version {}", detail::printable(path), shown(described.at("ir_version")));
  for (const auto& [domain, version] : *described.at("opsets").as<Json::Object>()) {
    text += fmt::format(", {} {}", domain == "ai.onnx" ? "opset" : detail::printable(domain), shown(version));
  }
  if (const std::string producer = shown(described.at("producer")); !producer.empty()) text += ", by " + producer;
  text += "\nInputs:\n" + ports_text(described.at("inputs")) + "Outputs:\n" + ports_text(described.at("outputs"));
  text += "Batch: " + shown(described.at("batch")) + '\n';
  if (const Json& metadata = described.at("metadata"); !metadata.as<Json::Object>()->empty()) {
    text += "Metadata:\n" + lines_of(metadata);
  }
  text += "Nodes:\n" + lines_of(described.at("nodes"));
  const Json& initializers = described.at("initializers");
  text += fmt::format("Initializers: {}\n", initializers.as<Json::Array>()->size()) + ports_text(initializers);
  text += fmt::format("Parameters: {}\n", shown(described.at("parameters")));
  if (const Json& cost = described.at("multiply_adds"); !cost.is_null()) {
    text += fmt::format("Multiply-adds, with 1 for each open dimension: {}\n", shown(cost));
  }
  for (const Json& what : *described.at("unsupported").as<Json::Array>())
    text += "Not supported: " + shown(what) + '\n';
  return text;
}

// ---- Keras ----

template <class T>
Json described(const T& value) {
  Json json;
  to_json(json, value);
  return json;
}

std::string keras_info(const std::string& path, bool json) {
  const Sequential model = load_keras(path, {});
  const auto& compiled = detail::SequentialState::of(model).compiled;
  Json settings;
  if (compiled) {
    settings.set("optimizer", described(compiled->optimizer));
    settings.set("loss", described(compiled->loss));
    settings.set("metrics", described(compiled->metrics));
  }
  if (json) {
    std::vector<RawTensor> tensors;
    for (const auto& [name, parameter] : model.parameters()) tensors.push_back(raw_tensor(name, parameter->value));
    return to_string(Json(Json::Object{
               {"format", "keras"}, {"name", model.name()}, {"compile", settings}, {"tensors", json_of(tensors)}})) +
           '\n';
  }
  std::string text = fmt::format("{}: Keras model\n\n{}Input: {}\n", detail::printable(path),
                                 to_string(model, {.expand_nested = true}), detail::pattern_text(*model.input_shape()));
  if (!compiled) return text + "Not compiled\n";
  const Json::Array& metrics = detail::list_of(settings.at("metrics"));
  return text + fmt::format("Optimizer: {}\nLoss: {}\nMetrics: {}\n", object_text(settings.at("optimizer")),
                            object_text(settings.at("loss")),
                            metrics.empty() ? "none" : detail::listed(metrics, object_text));
}

}  // namespace

void Info::declare(CLI::App& app) {
  app.add_option("FILE", file,
                 "a model (safetensors, ONNX, Keras), or arrays (safetensors, PyTorch's .pt, Keras's .weights.h5, "
                 ".npy, .npz, IDX)")
      ->required()
      ->option_text(" ");
  app.add_flag("--json", json, "print one line of JSON");
}

std::string Info::run() const {
  const bool are_weights = is_keras_weights(file);
  if (!are_weights && is_keras(file)) return keras_info(file, json);
  const FileKind kind = are_weights ? FileKind::hdf5 : kind_of_file(file);
  if (kind == FileKind::safetensors) return safetensors_info(file, json);
  if (kind == FileKind::onnx) return onnx_info(file, json);
  const Arrays arrays = read_arrays(file, kind);
  const char* const format = kind == FileKind::pytorch ? "pytorch"
                             : kind == FileKind::hdf5  ? "keras"
                             : kind == FileKind::npz   ? "npz"
                             : kind == FileKind::npy   ? "npy"
                                                       : "idx";
  if (json) {
    Json result = Json::Object{{"format", format}, {"tensors", json_of(arrays.list)}};
    if (!arrays.unread.empty()) result.set("unread", json_of(arrays.unread));
    return to_string(result) + '\n';
  }
  return fmt::format("{}: {}\n\n", detail::printable(file), format) + text_of(arrays.list) + text_of(arrays.unread);
}

}  // namespace cornu::tool
