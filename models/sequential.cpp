#include "cornu/models/sequential.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/shape_hints.h"
#include "cornu/core/text/utf8.h"
#include "cornu/models/require_values.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

using detail::SequentialState;

// ---- Making and copying ----

Sequential::Sequential() : state_(std::make_unique<SequentialState>()) { state_->name = SequentialOptions{}.name; }

Sequential::Sequential(std::initializer_list<AnyLayer> layers) : Sequential() {
  // C++ takes `Sequential b{a}` as a list of one layer, but a copy is meant.
  const auto* const model =
      layers.size() == 1 && layers.begin()->name().empty() ? layers.begin()->as<Sequential>() : nullptr;
  if (model != nullptr) {
    *this = *model;
  } else {
    for (const AnyLayer& layer : layers) add(layer);
  }
}

Sequential::Sequential(std::initializer_list<AnyLayer> layers, const SequentialOptions& options) : Sequential() {
  detail::require_utf8("model name", options.name);
  state_->name = options.name;
  state_->seed = options.seed;
  for (const AnyLayer& layer : layers) add(layer);
}

Sequential::Sequential(const Sequential& other) : Sequential() {
  static_cast<detail::SequentialParts&>(*state_) = *other.state_;
  if (state_->optimizer) {
    // If the parameters were replaced or reset, the next step creates a new optimizer.
    const bool is_usable = other.state_->optimizer->is_usable();
    state_->optimizer =
        is_usable ? std::optional(other.state_->optimizer->rebound(state_->parameters())) : std::nullopt;
  }
}

Sequential::Sequential(Sequential&& other) noexcept = default;

Sequential& Sequential::operator=(Sequential other) noexcept {
  if (state_.get() != nullptr && other.state_.get() != nullptr) {
    static_cast<detail::SequentialParts&>(*state_) = std::move(*other.state_);
    state_->report.reset();
  } else {
    state_ = std::move(other.state_);
  }
  return *this;
}

Sequential::~Sequential() = default;

const std::string& Sequential::name() const { return state_->name; }

void Sequential::add(AnyLayer layer) {
  SequentialState& state = *state_;
  const std::size_t before = state.layers.size();
  state.insert(std::move(layer));
  if (state.layers.size() == before) return;  // an Input
  try {
    if (built() && state.takes_any_length()) {
      Rng rng(state.seed);
      build(*state.input_shape(), rng);
    } else if (built()) {
      Rng seeds(state.seed);
      for (std::size_t i = 0; i < before; ++i) seeds.bits();
      Rng rng(seeds.bits());  // as if it had been there from the start
      state.shapes.push_back(detail::SequentialState::build_next(state.layers, before, state.shapes, rng));
    } else if (const std::optional<Shape> input = state.input_shape()) {
      Rng rng(state.seed);
      build(*input, rng);  // more layers may follow before the outputs fit an encoding
    }
  } catch (...) {
    state.layers.pop_back();
    if (state.layers.empty()) state.first_input.reset();
    throw;
  }
  state.optimizer.reset();
}

void Sequential::pop() {
  require<StateError>(!state_->layers.empty(), "{}: there is no layer to remove", name());
  state_->layers.pop_back();
  if (state_->layers.empty()) state_->first_input.reset();
  for (std::vector<Shape>* const shapes : {&state_->shapes, &state_->other_shapes}) {
    if (!shapes->empty()) shapes->pop_back();
    if (state_->layers.empty()) shapes->clear();
  }
  state_->optimizer.reset();
}

Index Sequential::layer_count() const { return static_cast<Index>(state_->layers.size()); }

AnyLayer& Sequential::get_layer(std::string_view layer) { return state_->find(layer); }
const AnyLayer& Sequential::get_layer(std::string_view layer) const { return state_->find(layer); }
AnyLayer& Sequential::get_layer(Index position) { return state_->layers[state_->position(position)]; }
const AnyLayer& Sequential::get_layer(Index position) const { return state_->layers[state_->position(position)]; }

// ---- Building, weights, forward ----

void Sequential::build(const Shape& input) {
  if (state_->csv_encoding) {  // try on a copy first: if the encoding does not fit, the model is unchanged
    Sequential trial(*this);
    Rng rng(state_->seed);
    trial.build(input, rng);
    trial.state_->require_classes(*state_->csv_encoding);
  }
  Rng rng(state_->seed);
  build(input, rng);
  if (input == state_->shapes.front()) state_->other_shapes.clear();  // only this shape
}

Shape Sequential::build(const Shape& input, Rng& rng) {
  if (state_->csv_encoding) state_->require_features(*state_->csv_encoding, input);
  const NamedParameters before = parameters();
  const bool starts_anew = std::all_of(before.begin(), before.end(),
                                       [](const NamedParameter& named) { return named.parameter->value.empty(); });
  const Shape output = state_->Chain::build(input, rng);
  if (starts_anew) state_->seen = {};
  state_->optimizer.reset();
  return output;
}

bool Sequential::built() const { return !state_->shapes.empty(); }

std::optional<Shape> Sequential::input_shape() const { return state_->input_shape(); }

Shape Sequential::output_shape() const {
  state_->require_built();
  return state_->pattern(state_->layers.size());
}

Shape Sequential::output_shape(Index layer) const {
  state_->require_built();
  return state_->pattern(state_->position(layer) + 1);
}

NamedLayers Sequential::layers() { return state_->named_layers(); }

NamedParameters Sequential::parameters() { return state_->parameters(); }

std::vector<std::pair<std::string, const Parameter*>> Sequential::parameters() const {
  std::vector<std::pair<std::string, const Parameter*>> result;
  for (const NamedParameter& named : state_->parameters()) result.emplace_back(named.name, named.parameter);
  return result;
}

Index Sequential::count_params() const {
  state_->require_built();
  Index count = 0;
  for (const auto& [parameter_name, parameter] : parameters()) count += parameter->value.size();
  return count;
}

std::vector<Tensor> Sequential::get_weights() const {
  state_->require_built();
  std::vector<Tensor> result;
  for (const auto& [parameter_name, parameter] : parameters()) result.push_back(parameter->value);
  return result;
}

void detail::require_values(const Sequential& model) {
  SequentialState::of(model).require_built();
  for (const auto& [name, parameter] : model.parameters()) {
    require<StateError>(parameter->shape() != Tensor().shape(),
                        "{}: {} has no values (after reset_parameters?); build the model first: "
                        "model.build(*model.input_shape())",
                        model.name(), name);
  }
}

void detail::require_one_length(const Sequential& model, const char* who) {
  const SequentialState& state = SequentialState::of(model);
  require<ValueError>(
      !state.takes_any_length(),
      "{}: {}: the model takes samples of shape {}, with any length; build a copy for one length first, "
      "such as {}",
      model.name(), who, pattern_text(state.pattern(0)), state.shapes.front());
}

void Sequential::set_weights(std::span<const Tensor> weights) {
  detail::require_values(*this);
  const NamedParameters mine = parameters();
  require(weights.size() == mine.size(), "{}: {} weights for {} parameters", name(), weights.size(), mine.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    require(weights[i].shape() == mine[i].parameter->shape(), "{}: {} is {}, but the given weight is {}", name(),
            mine[i].name, mine[i].parameter->shape(), weights[i].shape());
  }
  for (std::size_t i = 0; i < mine.size(); ++i) mine[i].parameter->value = weights[i];
}

Var Sequential::forward(Var x) const { return state_->forward(x); }

// ---- Training and evaluation: what they require ----

void Sequential::compile(CompileOptions options) {
  for (const AnyMetric& metric : options.weighted_metrics) {
    require<ValueError>(metric.takes_weights(),
                        "{}: compile: the metric {} takes no weights; move it from weighted_metrics to metrics", name(),
                        metric.name());
  }
  state_->compiled = std::move(options);
  state_->optimizer.reset();
  state_->report.reset();
}

bool Sequential::compiled() const { return state_->compiled.has_value(); }

Optimizer& Sequential::optimizer() {
  state_->prepare_training();
  return *state_->optimizer;
}

void detail::Seen::check() const {
  for (const Index count : {steps, passes, batches}) {
    require<FormatError>(count >= 0 && count <= most_steps,
                         "seen: {} steps, {} passes, {} batches; each must be from 0 to {}", steps, passes, batches,
                         most_steps);
  }
}

void SequentialState::require_compiled() const {
  require<StateError>(compiled.has_value(), "{}: not compiled yet; call compile first", name);
}

void SequentialState::require_fitting(DatasetRef data, const char* what) const {
  const Shape required = pattern(0), came = data.feature_shape();
  if (matches(required, came)) return;
  throw ShapeError(message("{}: {} got samples of shape {}; the model takes {}{}", name, what, came,
                           pattern_text(required), sample_hint(came, required)));
}

void SequentialState::require_targets(DatasetRef data, const char* what) const {
  require(data.target_shape().size() > 0,
          "{}: {} requires targets, but the samples have none (for a table, name the target column in read_csv's "
          ".target)",
          name, what);
}

void SequentialState::prepare_training() {
  require_compiled();
  require_built();
  if (!optimizer) optimizer.emplace(compiled->optimizer, parameters());
}

}  // namespace cornu
