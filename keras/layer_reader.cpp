#include "cornu/keras/layer_reader.h"

#include <algorithm>
#include <array>

#include "cornu/core/options/options.h"
#include "cornu/formats/json.h"
#include "cornu/keras/functional.h"
#include "cornu/keras/layer_rows.h"
#include "cornu/keras/objects.h"
#include "cornu/keras/sequential.h"
#include "cornu/layers/freeze.h"
#include "cornu/layers/registry.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/time_distributed.h"

namespace cornu::keras::detail {

namespace {

/// "dense_1 (Dense)".
std::string label(const Json& json) {
  const std::string type = text_in(json, "class_name"), name = layer_name(json);
  return name.empty() ? type : message("{} ({})", name, type);
}

/// A value in the form that Cornu's default of this option has: [3] as 3, 3 as [3], and a number f as the range [-f,
/// f].
Json shaped(const Json& value, const Json& like, std::string_view option) {
  const auto* const list = value.as<Json::Array>();
  const bool is_number = value.as<double>() != nullptr || value.as<std::int64_t>() != nullptr;
  if (list != nullptr && list->size() == 1 && like.as<std::int64_t>() != nullptr) return list->front();
  if (!is_number) return value;
  if (option.ends_with("factor") || option == "scale") {
    const double most = std::abs(value_of<double>(value));
    return Json::Array{-most, most};
  }
  return like.as<Json::Array>() != nullptr ? Json(Json::Array{value}) : value;
}

/// Reads the options of one layer.
class Options {
 public:
  Options(const Json& json, const LayerRow& row, Lacks& lacks)
      : json_(json), row_(row), lacks_(lacks), defaults_(default_options()) {}

  std::optional<AnyLayer> read() {
    for (const auto& [option, value] : cornu::detail::object_of(json_.at("config"))) {
      const Rule* const rule = rule_for(row_, option);
      if (rule == nullptr) {
        put(option, option, value);
      } else if (!rule->cornu_name.empty()) {
        put(std::string(rule->cornu_name), option, value);
      } else if (!rule->ignored && !value.is_null() &&
                 std::none_of(rule->allowed.begin(), rule->allowed.end(),
                              [&, &own = value](const Json& one) { return same(one, own); })) {
        refuse(option, value);
      }
    }
    if (!well_) return std::nullopt;
    try {
      return cornu::detail::layer_registry().make(described());
    } catch (const Error& error) {
      lacks_.option(label(json_), error.what());
      return std::nullopt;
    }
  }

 private:
  Json described() const {
    Json result;
    result.set("class_name", std::string(row_.class_name));
    result.set("config", config_);
    return result;
  }

  Json default_options() const {
    const AnyLayer layer = cornu::detail::layer_registry().make(described());
    return cornu::detail::layer_registry().describe(layer, row_.class_name).at("config");
  }

  void put(const std::string& name, const std::string& option, const Json& value) {
    const Json* const known = defaults_.find(name);
    if (known == nullptr) {
      if (!value.is_null()) refuse(option, value);
      return;
    }
    const auto set = [&](const std::optional<Json>& converted) {
      converted ? config_.set(name, *converted) : refuse(option, value);
    };
    if (name.ends_with("activation")) {
      const auto function = activation_of(value);
      set(function ? std::optional<Json>(*function) : std::nullopt);
    } else if (name.ends_with("_initializer")) {
      if (const auto initializer = initializer_of(value)) {
        config_.set(name, *initializer);
      } else {
        lacks_.note(message("{}: {} is not kept, which matters only for new weights", label(json_), option));
      }
    } else if (name.ends_with("_regularizer")) {
      set(regularizer_of(value));
    } else if (name.ends_with("_constraint")) {
      set(constraint_of(value));
    } else if (row_.class_name == "Normalization" && name == "axis" && value.is_null()) {
      config_.set(name, Json::Array{});
    } else if (!value.is_null() || known->is_null()) {
      config_.set(name, shaped(value, *known, name));
    }
  }

  void refuse(const std::string& option, const Json& value) {
    constexpr std::size_t most = 60;
    std::string text = to_string(value);
    if (text.size() > most) text = text.substr(0, most) + "...";
    lacks_.option(label(json_), option + " = " + text);
    well_ = false;
  }

  const Json& json_;
  const LayerRow& row_;
  Lacks& lacks_;
  Json config_ = Json::Object{};
  Json defaults_;
  bool well_ = true;
};

std::optional<AnyLayer> read_bidirectional(const Json& json, Lacks& lacks) {
  const Json& config = json.at("config");
  const Json& second = in(config, "backward_layer");
  std::optional<AnyLayer> forward = read_layer(config.at("layer"), lacks), backward;
  if (!second.is_null()) backward = read_layer(second, lacks);
  if (!forward || (!second.is_null() && !backward)) return std::nullopt;
  const Json& mode = in(config, "merge_mode");
  const auto names = option_names(MergeMode());
  const auto merge =
      std::find(names.begin(), names.end(), mode.as<std::string>() == nullptr ? "" : *mode.as<std::string>());
  if (merge == names.end()) {
    lacks.option(label(json), "merge_mode = " + to_string(mode));
    return std::nullopt;
  }
  const auto merge_mode = static_cast<MergeMode>(merge - names.begin());
  return AnyLayer(backward ? Bidirectional(*std::move(forward), *std::move(backward), merge_mode)
                           : Bidirectional(*forward, merge_mode));
}

/// Another class: one that Cornu lacks, or a user's that is registered under the same name.
std::optional<AnyLayer> read_other(const Json& json, const std::string& type, Lacks& lacks) {
  const std::span<const std::string_view> other = layers_without_row();
  const bool is_own = std::find(other.begin(), other.end(), type) != other.end();
  if (!is_own && cornu::detail::layer_registry().knows(type)) {
    const LayerRow row{type};
    return Options(json, row, lacks).read();
  }
  const std::string module = text_in(json, "module");
  const bool is_op = module.find("ops") != std::string::npos;
  lacks.layer(type, layer_name(json),
              type == "Lambda" ? ", which is Python code"
              : is_op          ? " of " + module
                               : std::string());
  return std::nullopt;
}

std::optional<AnyLayer> read_unnamed(const Json& json, Lacks& lacks) {
  const std::string type = text_in(json, "class_name");
  if (type == "Sequential") return read_sequential(json, lacks);
  if (type == "Functional" || (type == "Model" && json.at("config").find("layers") != nullptr)) {
    return read_graph(json, lacks);
  }
  if (type == "Bidirectional") return read_bidirectional(json, lacks);
  if (type == "TimeDistributed") {
    std::optional<AnyLayer> layer = read_layer(json.at("config").at("layer"), lacks);
    if (!layer) return std::nullopt;
    return AnyLayer(TimeDistributed{*std::move(layer)});
  }
  const LayerRow* const row = layer_row(type);
  return row == nullptr ? read_other(json, type, lacks) : Options(json, *row, lacks).read();
}

}  // namespace

std::string layer_name(const Json& json) {
  const std::string name = text_in(in(json, "config"), "name");
  return name.empty() ? text_in(json, "name") : name;
}

std::optional<Shape> sample_shape(const Json& shape) {
  const auto* const list = shape.as<Json::Array>();
  if (list == nullptr || list->empty() || list->size() > Shape::max_rank + 1) return std::nullopt;
  std::vector<Index> dimensions;
  for (std::size_t i = 1; i < list->size(); ++i) {
    const Json& one = (*list)[i];
    const auto* const size = one.as<std::int64_t>();
    if (size == nullptr ? !one.is_null() : *size < 0) return std::nullopt;
    dimensions.push_back(size == nullptr ? 0 : static_cast<Index>(*size));
  }
  return Shape(std::span<const Index>(dimensions));
}

std::optional<Shape> input_shape(const Json& layer) {
  const Json& config = in(layer, "config");
  for (const char* const option : {"batch_shape", "batch_input_shape"}) {
    if (auto shape = sample_shape(in(config, option))) return shape;
  }
  return std::nullopt;
}

void check_dtype(const Json& layer, Lacks& lacks) {
  constexpr std::array exact{"float32", "float64", "int32", "int64", "uint8", "bool"};
  constexpr std::array wider{"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"};
  const std::string dtype = dtype_of(in(in(layer, "config"), "dtype"));
  if (std::find(exact.begin(), exact.end(), dtype) != exact.end()) return;
  if (std::find(wider.begin(), wider.end(), dtype) == wider.end()) {
    lacks.option(label(layer), "dtype = " + dtype);
  } else {
    lacks.note(message("dtype {}: Cornu computes in {}", dtype, sizeof(Real) == 4 ? "float32" : "float64"));
  }
}

std::optional<AnyLayer> read_layer(const Json& json, Lacks& lacks) {
  if (text_in(json, "class_name").empty() || in(json, "config").as<Json::Object>() == nullptr) {
    throw FormatError("config.json: an object without class_name or config, where a layer is required");
  }
  check_dtype(json, lacks);
  std::optional<AnyLayer> layer = read_unnamed(json, lacks);
  if (!layer) return std::nullopt;
  layer->rename(layer_name(json));
  const auto* const trainable = in(json.at("config"), "trainable").as<bool>();
  if (trainable != nullptr && !*trainable) freeze(*layer);
  return layer;
}

}  // namespace cornu::keras::detail
