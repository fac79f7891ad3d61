#include "cornu/models/saving/saving.h"

#include <algorithm>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/core/text/listed.h"
#include "cornu/formats/json.h"
#include "cornu/models/saving/weight_names.h"
#include "cornu/optim/registry.h"

namespace cornu {

namespace {

constexpr std::int64_t format_version = 1;

std::string state_name(const std::string& parameter, Index slot) {
  return detail::optimizer_prefix + parameter + "/" + std::to_string(slot);
}

/// The elements of a file's tensor as Reals.
Tensor converted(const RawTensor& raw, const Shape& shape) {
  Tensor result(shape);
  convert(raw, result);
  return result;
}

/// The values that a StoredTensor has in a file.
Tensor stored_values(const detail::StoredTensor& stored) {
  Tensor result = Tensor::full(stored.shape, stored.constant);
  Index at = 0;
  for (const detail::Piece& piece : stored.pieces) {
    const Tensor& from = piece.parameter->value;
    piece.for_each([&](Index i) { result[at++] = from[i]; });
  }
  return result;
}

bool has_shape(const RawTensor& raw, const Shape& shape) {
  const auto dimensions = shape.dimensions();
  return std::equal(raw.shape.begin(), raw.shape.end(), dimensions.begin(), dimensions.end());
}

}  // namespace

std::string to_string(const WeightsReport& report) {
  std::string text;
  const auto line = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) text += (text.empty() ? "" : "\n") + message("{}: {}", what, detail::listed(names));
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

void put_weights(std::vector<RawTensor>& tensors, std::span<const StoredTensor> stored, std::list<Tensor>& copies) {
  static constexpr std::int64_t zero = 0;  // the value of ignored counters
  for (const StoredTensor& one : stored) {
    if (one.use == StoredTensor::Use::ignored) {
      tensors.push_back({one.name, Dtype::i64, {}, std::as_bytes(std::span(&zero, 1))});
    } else if (one.is_whole()) {
      tensors.push_back(raw_tensor(one.name, ConstView(one.pieces[0].parameter->value.data(), one.shape)));
    } else {
      const bool filled = one.use == StoredTensor::Use::added;  // the previous tensor holds the whole sum
      tensors.push_back(raw_tensor(one.name, copies.emplace_back(filled ? Tensor(one.shape) : stored_values(one))));
    }
  }
}

Json put_optimizer(std::vector<RawTensor>& tensors, const Optimizer& optimizer, const ConstParameters& parameters) {
  const Index slots = optimizer.rule().slot_count();
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

Json described_in(const NamedTensors& file, const char* name) {
  const auto found = file.metadata().find(name);
  if (found == file.metadata().end()) {
    const Names names = names_guessed(file);
    throw FormatError(message("its metadata has no \"{}\"; to read weights alone, use load_weights{}", name,
                              names == Names::cornu ? "" : message(" with .names = {}", code_of(names))));
  }
  Json json = parse_json(found->second);
  const auto version = value_of<Index>(json.at("version"));
  require<FormatError>(version >= 1 && version <= format_version,
                       "version {} of the format; this program knows those up to {}", version, format_version);
  return json;
}

WeightsReport get_weights(const NamedTensors& file, std::span<const StoredTensor> stored,
                          const LoadWeightsOptions& options) {
  using Use = StoredTensor::Use;
  WeightsReport report;
  std::set<std::string_view> known;
  std::vector<std::pair<const RawTensor*, const StoredTensor*>> pairs;
  for (const StoredTensor& one : stored) {
    const RawTensor* const raw = file.find(one.name);
    known.insert(one.name);
    if (raw == nullptr) {
      if (one.use == Use::numbers || one.use == Use::added) report.missing.push_back(one.label());
    } else if (one.use == Use::ignored) {
      continue;
    } else if (!has_shape(*raw, one.shape)) {
      report.mismatched.push_back(
          message("{} is {}, the file has {}", one.label(), one.shape, to_string(std::span(raw->shape))));
    } else if (one.use == Use::constant) {
      if (converted(*raw, one.shape) != stored_values(one)) {
        report.mismatched.push_back(
            message("{} must be {} everywhere, the file has other values", one.label(), one.constant));
      }
    } else if (one.use == Use::numbers || (!pairs.empty() && pairs.back().second == &one - 1)) {
      pairs.emplace_back(raw, &one);  // an added tensor, only if the tensor before it fits
    }
  }
  for (const std::string& name : names_in(file)) {
    if (!name.starts_with(optimizer_prefix) && !name.starts_with(backup_prefix) && !known.contains(name)) {
      report.unexpected.push_back(name);
    }
  }
  if (options.strict && !report) throw ValueError("the weights do not fit: " + to_string(report));
  for (const auto& [raw, one] : pairs) require_exact(*raw);  // before any weight changes
  for (const auto& [raw, one] : pairs) {
    if (one->is_whole()) {
      convert(*raw, one->pieces[0].parameter->value);
      continue;
    }
    const Tensor values = converted(*raw, one->shape);
    const bool adds = one->use == Use::added;
    Index at = 0;
    for (const Piece& piece : one->pieces) {
      Tensor& to = piece.parameter->value;
      piece.for_each([&](Index i) {
        const Real value = values[at++];
        // Adding 0 would turn -0 into 0; the bits must stay the same.
        if (!adds) {
          to[i] = value;
        } else if (value != 0) {
          to[i] += value;
        }
      });
    }
  }
  return report;
}

WeightsReport get_weights(const NamedTensors& file, const NamedParameters& parameters,
                          const LoadWeightsOptions& options) {
  return get_weights(file, own_layout(parameters), options);
}

void get_optimizer(const NamedTensors& file, const Json& json, Optimizer& optimizer,
                   const ConstParameters& parameters) {
  const Index slots = optimizer.rule().slot_count();
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
