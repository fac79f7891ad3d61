#include "cornu/models/saving.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/options.h"
#include "cornu/formats/json.h"
#include "cornu/optim/registry.h"

namespace cornu {

namespace {

constexpr std::int64_t format_version = 1;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string state_name(const std::string& parameter, Index slot) {
  return message("{}{}/{}", detail::optimizer_prefix, parameter, slot);
}

bool has_shape(const RawTensor& raw, const Shape& shape) {
  const auto dimensions = shape.dimensions();
  return std::equal(raw.shape.begin(), raw.shape.end(), dimensions.begin(), dimensions.end());
}

}  // namespace

std::string to_string(const WeightsReport& report) {
  std::string text;
  const auto line = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) text += (text.empty() ? "" : "\n") + message("{}: {}", what, joined(names));
  };
  line("missing", report.missing);
  line("unexpected", report.unexpected);
  line("mismatched", report.mismatched);
  return text;
}

namespace detail {

// ---- Writing ----

void put_weights(std::vector<RawTensor>& tensors, const ConstParameters& parameters) {
  for (const auto& [name, parameter] : parameters) tensors.push_back(raw_tensor(name, parameter->value));
}

Json put_optimizer(std::vector<RawTensor>& tensors, const Optimizer& optimizer, const ConstParameters& parameters) {
  const Index slots = optimizer.rule().slots();
  for (std::size_t i = 0; i < optimizer.state().size(); ++i) {
    const auto parameter = i / static_cast<std::size_t>(slots);
    const Index slot = static_cast<Index>(i) % slots;
    tensors.push_back(raw_tensor(state_name(parameters[parameter].first, slot), optimizer.state()[i]));
  }
  Json json, rate;
  to_json(rate, optimizer.replaced_learning_rate());
  json.set("iterations", std::int64_t{optimizer.iterations()});
  json.set("learning_rate", std::move(rate));
  return json;
}

Json new_description() {
  Json json;
  json.set("version", format_version);
  return json;
}

// ---- Reading ----

Json described_in(const SafetensorsFile& file, const char* name) {
  const auto found = file.metadata().find(name);
  require<FormatError>(found != file.metadata().end(),
                       "there is no \"{}\" in its metadata; weights alone are read by load_weights", name);
  Json json = parse_json(found->second);
  const auto version = value_of<Index>(json.at("version"));
  require<FormatError>(version >= 1 && version <= format_version,
                       "version {} of the format; this program knows those up to {}", version, format_version);
  return json;
}

WeightsReport get_weights(const SafetensorsFile& file, const NamedParameters& parameters,
                          const LoadWeightsOptions& options) {
  WeightsReport report;
  std::vector<std::pair<const RawTensor*, Parameter*>> pairs;
  for (const auto& [name, parameter] : parameters) {
    const RawTensor* const raw = file.find(name);
    if (raw == nullptr) {
      report.missing.push_back(name);
    } else if (has_shape(*raw, parameter->shape())) {
      pairs.emplace_back(raw, parameter);
    } else {
      report.mismatched.push_back(
          message("{} is {}, the file has {}", name, parameter->shape(), to_string(std::span(raw->shape))));
    }
  }
  for (const RawTensor& raw : file.tensors()) {
    const bool known = raw.name.starts_with(optimizer_prefix) || raw.name.starts_with(backup_prefix) ||
                       std::any_of(parameters.begin(), parameters.end(),
                                   [&](const NamedParameter& named) { return named.name == raw.name; });
    if (!known) report.unexpected.push_back(raw.name);
  }
  if (options.strict) require<ValueError>(static_cast<bool>(report), "the weights do not fit: {}", to_string(report));
  for (const auto& [raw, parameter] : pairs) convert(*raw, parameter->value);
  return report;
}

void get_optimizer(const SafetensorsFile& file, const Json& json, Optimizer& optimizer,
                   const ConstParameters& parameters) {
  const Index slots = optimizer.rule().slots();
  for (std::size_t i = 0; i < optimizer.state().size(); ++i) {
    const auto parameter = i / static_cast<std::size_t>(slots);
    const std::string name = state_name(parameters[parameter].first, static_cast<Index>(i) % slots);
    const RawTensor* const raw = file.find(name);
    require<FormatError>(raw != nullptr, "there is no \"{}\", which the optimizer needs", name);
    Tensor& state = optimizer.state()[i];
    require<FormatError>(has_shape(*raw, state.shape()), "\"{}\" is {}; {} is required", name,
                         to_string(std::span(raw->shape)), state.shape());
    convert(*raw, state);
  }
  optimizer.set_iterations(value_of<Index>(json.at("iterations")));
  const Json& rate = json.at("learning_rate");
  if (!rate.is_null()) optimizer.set_learning_rate(value_of<LearningRate>(rate));
}

}  // namespace detail
}  // namespace cornu
