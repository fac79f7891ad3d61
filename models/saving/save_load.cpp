#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/json.h"
#include "cornu/formats/tensor_file.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/registry.h"
#include "cornu/models/metrics/registry.h"
#include "cornu/models/require_values.h"
#include "cornu/models/saving/saving.h"
#include "cornu/models/saving/weight_names.h"
#include "cornu/models/sequential_state.h"
#include "cornu/optim/registry.h"

namespace cornu {

namespace {

template <class T>
Json json_of(const T& value) {
  Json json;
  to_json(json, value);
  return json;
}

Json compile_settings(const CompileOptions& compiled) {
  Json json;
  json.set("optimizer", json_of(compiled.optimizer));
  json.set("loss", json_of(compiled.loss));
  json.set("metrics", json_of(compiled.metrics));
  if (!compiled.weighted_metrics.empty()) json.set("weighted_metrics", json_of(compiled.weighted_metrics));
  return json;
}

/// The names of the parameters for which holds(parameter) is true.
template <class Holds>
Json names_where(const detail::ConstParameters& parameters, Holds holds) {
  Json::Array names;
  for (const auto& [name, parameter] : parameters) {
    if (holds(*parameter)) names.emplace_back(name);
  }
  return names;
}

/// The parameters whose two flags are equal: trainable and frozen, or neither. set_flags reads this list and `frozen`.
Json untrainable_names(const detail::ConstParameters& parameters) {
  return names_where(parameters, [](const Parameter& parameter) { return parameter.trainable == parameter.frozen; });
}

void set_flags(const NamedParameters& parameters, const Json& json) {
  const auto untrainable = value_of<std::vector<std::string>>(json.at("untrainable"));
  const auto frozen = value_of<std::vector<std::string>>(json.at("frozen"));
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& [name, parameter] : parameters) {
    parameter->frozen = is_in(frozen, name);
    parameter->trainable = is_in(untrainable, name) == parameter->frozen;
  }
}

/// A model is also a layer, which the registry of layers in layers/ cannot know.
void register_models() {
  static const bool done = (register_layer<Sequential>(), true);
  static_cast<void>(done);
}

/// Memory limit for building a model, so that a small file cannot request much: 1 MiB plus four Reals per element in
/// the file.
std::size_t memory_for(const SafetensorsFile& file) {
  std::size_t bytes = std::size_t{1} << 20;
  for (const RawTensor& tensor : file.tensors()) {
    bytes += 4 * tensor.bytes.size() / static_cast<std::size_t>(size_of(tensor.dtype)) * sizeof(Real);
  }
  return bytes;
}

/// Whose names the weights in a format of files usually have.
Names names_in_format(detail::FileKind kind) {
  return kind == detail::FileKind::pytorch ? Names::pytorch : Names::cornu;
}

/// A hint for an error: the `Names` with which all weights fit, or else those that the file's names look like.
std::string other_names(detail::SequentialState& state, const NamedTensors& file, Names tried) {
  const auto fits = [&](Names names) {
    try {
      const auto stored = detail::stored_weights(state, names, {}, &file);
      return std::all_of(stored.begin(), stored.end(), [&](const detail::StoredTensor& one) {
        using Use = detail::StoredTensor::Use;
        const RawTensor* const raw = file.find(one.name);
        const auto wanted = one.shape.dimensions();
        return raw == nullptr ? one.use == Use::constant || one.use == Use::ignored
                              : std::equal(raw->shape.begin(), raw->shape.end(), wanted.begin(), wanted.end());
      });
    } catch (const Error&) {
      return false;
    }
  };
  if (fits(tried)) return "";
  // Keras is last: its layouts are Cornu's, so files with Cornu's names fit it too.
  for (const Names names : {Names::pytorch, Names::cornu, Names::keras}) {
    if (names == tried || !fits(names)) continue;
    return message("\nall weights fit under other names: did you mean .names = {}?", detail::code_of(names));
  }
  const Names guessed = detail::names_guessed(file);
  const bool is_model = file.metadata().contains(detail::model_metadata);
  if (guessed == tried || (guessed == Names::cornu && !is_model)) return "";
  return message("\nthe file's names look like {}: did you mean .names = {}?",
                 is_model ? "Cornu's own" : "another framework's", detail::code_of(guessed));
}

}  // namespace

void Sequential::options(OptionVisitor& visit) {
  detail::SequentialState& state = *state_;
  visit("name", state.name);
  visit("seed", state.seed);
  visit("input_shape", state.declared_input);
  visit("input_parts", state.input_parts);
  if (!visit.reading()) {
    visit("layers", state.layers);
    return;
  }
  std::vector<AnyLayer> layers;
  visit("layers", layers);
  for (AnyLayer& layer : layers) {
    require<FormatError>(!layer.name().empty(), "{} without a name", detail::with_article(layer.type()));
    state.insert(std::move(layer));
  }
  if (!state.input_parts.empty()) {
    const Shape packed = Inputs(state.input_parts).packed();
    require<FormatError>(state.declared_input == packed, "input_parts have {} elements, but input_shape does not match",
                         packed.size());
  }
}

void Sequential::save(const std::string& path, const SaveOptions& options) const {
  register_models();
  std::vector<RawTensor> tensors;
  const std::string text = detail::naming(path, [&] {
    detail::require_values(*this);
    const detail::ConstParameters mine = parameters();
    detail::put_weights(tensors, mine);
    Json json = detail::new_description();
    json.set("class_name", "Sequential");
    json.set("config", detail::written_options(*this));
    json.set("build_input_shape", json_of(state_->pattern(0)));
    json.set("untrainable", untrainable_names(mine));
    json.set("frozen", names_where(mine, [](const Parameter& parameter) { return parameter.frozen; }));
    json.set("seen", json_of(state_->seen));
    if (options.include_optimizer && state_->compiled) {
      try {
        json.set("compile", compile_settings(*state_->compiled));
        if (state_->optimizer) json.set("optimizer", detail::put_optimizer(tensors, *state_->optimizer, mine));
      } catch (const ValueError& error) {
        throw ValueError(message("{}; or save without the optimizer: .include_optimizer = false", error.what()));
      }
    }
    detail::require_utf8(json);
    return to_string(json);
  });
  SafetensorsMetadata metadata{{"format", "cornu"}, {detail::model_metadata, text}};
  if (has_csv_encoding()) {
    detail::naming(path, [&] {
      state_->require_features(csv_encoding(), state_->pattern(0));
      state_->require_classes(csv_encoding());
      metadata[detail::csv_metadata] = to_string(csv_encoding());
    });
  }
  write_safetensors(path, tensors, metadata);
}

Sequential Sequential::load(const std::string& path, const LoadOptions& options) {
  return load(SafetensorsFile(path), options);
}

Sequential Sequential::load(const SafetensorsFile& file, const LoadOptions& options) {
  register_models();
  return detail::naming(file.path(), [&] {
    const detail::MemoryLimit limit(memory_for(file), options.pass_memory);
    const Json json = detail::described_in(file.content(), detail::model_metadata);
    const auto type = value_of<std::string>(json.at("class_name"));
    require<FormatError>(type == "Sequential", "this is {}, not a Sequential", detail::with_article(type));
    Sequential model;
    OptionVisitor visit(json.at("config"));
    model.options(visit);
    visit.require_all_read();
    model.build(value_of<Shape>(json.at("build_input_shape")));
    detail::get_weights(file.content(), model.parameters(), {});
    set_flags(model.parameters(), json);
    if (const Json* const seen = json.find("seen")) {
      model.state_->seen = value_of<detail::Seen>(*seen);
    } else if (const Json* const optimizer = json.find("optimizer")) {  // files of early versions have no "seen"
      model.state_->seen.steps = std::clamp(value_of<Index>(optimizer->at("iterations")), Index{0}, detail::most_steps);
    }
    model.state_->seen.check();
    if (const auto table = file.metadata().find(detail::csv_metadata); table != file.metadata().end()) {
      model.set_csv_encoding(parse_csv_encoding(table->second));
    }
    const Json* const compile = json.find("compile");
    if (!options.compile || compile == nullptr) return model;
    const auto metrics = [&](const char* name) {
      const Json* const list = compile->find(name);
      return list == nullptr ? std::vector<AnyMetric>{} : value_of<std::vector<AnyMetric>>(*list);
    };
    model.compile({.optimizer = value_of<AnyOptimizer>(compile->at("optimizer")),
                   .loss = value_of<AnyLoss>(compile->at("loss")),
                   .metrics = value_of<std::vector<AnyMetric>>(compile->at("metrics")),
                   .weighted_metrics = metrics("weighted_metrics")});
    if (const Json* const optimizer = json.find("optimizer")) {
      detail::get_optimizer(file.content(), *optimizer, model.optimizer(), std::as_const(model).parameters());
    }
    return model;
  });
}

void detail::SequentialState::require_features(const CsvEncoding& encoding, const Shape& input) const {
  const auto features = std::ssize(encoding.feature_names());
  require(input.size() == features, "{}: the table's encoding has {} features, but the model takes {}", name, features,
          input);
}

void detail::SequentialState::require_classes(const CsvEncoding& encoding) const {
  const auto classes = std::ssize(encoding.class_names());
  const Index outputs = shapes.back().size();
  require(classes == 0 || outputs == classes || (outputs == 1 && classes == 2),
          "{}: the table's encoding has {} classes, but the model has {} output{}; one for each class is required{}",
          name, classes, outputs, outputs == 1 ? "" : "s", classes == 2 ? ", or a single one" : "");
}

void Sequential::set_csv_encoding(CsvEncoding encoding) {
  if (const std::optional<Shape> input = input_shape()) state_->require_features(encoding, *input);
  if (built()) state_->require_classes(encoding);
  state_->csv_encoding = std::move(encoding);
}

const CsvEncoding& Sequential::csv_encoding() const {
  require<StateError>(has_csv_encoding(), "{}: it has no CSV encoding; call set_csv_encoding before saving it", name());
  return *state_->csv_encoding;
}

bool Sequential::has_csv_encoding() const { return state_->csv_encoding.has_value(); }

void Sequential::save_weights(const std::string& path, const SaveWeightsOptions& options) const {
  std::vector<RawTensor> tensors;
  std::list<Tensor> copies;
  detail::naming(path, [&] {
    detail::require_values(*this);
    detail::put_weights(tensors, detail::stored_weights(*state_, options.names, options.rename), copies);
  });
  write_safetensors(path, tensors, {{"format", "cornu"}});
}

WeightsReport Sequential::load_weights(const std::string& path, const LoadWeightsOptions& options) {
  const detail::TensorFile file(path);
  const NamedTensors& tensors = file.content();
  const Names names = options.names.value_or(names_in_format(file.kind()));
  return detail::naming(path, [&] {
    detail::require_values(*this);
    try {
      return detail::get_weights(tensors, detail::stored_weights(*state_, names, options.rename, &tensors), options);
    } catch (const ValueError& error) {
      throw ValueError(error.what() + other_names(*state_, tensors, names));
    }
  });
}

}  // namespace cornu
