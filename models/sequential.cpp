#include "cornu/models/sequential.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/layers/input.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

// ---- The layers ----

namespace detail {

std::string SequentialState::free_name(std::string_view type) const {
  const std::string base = snake_case(type);
  const auto taken = [&](const std::string& name) {
    return std::any_of(layers.begin(), layers.end(), [&](const AnyLayer& layer) { return layer.name() == name; });
  };
  std::string name = base;
  for (int number = 1; taken(name); ++number) name = base + "_" + std::to_string(number);
  return name;
}

void SequentialState::insert(AnyLayer layer) {
  if (layers.empty() && !declared_input) {
    if (const Input* input = layer.as<Input>()) {  // says what comes in, and is no layer of its own
      declared_input = input->shape;
      return;
    }
  }
  if (layer.name().empty()) {
    layer.rename(free_name(layer.type()));
  } else {
    for (const AnyLayer& other : layers) {
      require<ValueError>(other.name() != layer.name(), "{}: there is already a layer named \"{}\"", options.name,
                          layer.name());
    }
  }
  layers.push_back(std::move(layer));
}

std::optional<Shape> SequentialState::known_input() const {
  if (declared_input || layers.empty()) return declared_input;
  return layers.front().input_shape();
}

std::size_t SequentialState::position(Index index) const {
  const auto count = static_cast<Index>(layers.size());
  const Index result = index < 0 ? index + count : index;
  require<ValueError>(result >= 0 && result < count, "{}: there is no layer {}; there are {}", options.name, index,
                      count);
  return static_cast<std::size_t>(result);
}

std::size_t SequentialState::position(std::string_view layer_name) const {
  const auto found =
      std::find_if(layers.begin(), layers.end(), [&](const AnyLayer& layer) { return layer.name() == layer_name; });
  std::string names;
  for (const AnyLayer& layer : layers) names += (names.empty() ? "" : ", ") + layer.name();
  require<ValueError>(found != layers.end(), "{}: there is no layer named \"{}\"; there are: {}", options.name,
                      layer_name, names);
  return static_cast<std::size_t>(found - layers.begin());
}

void SequentialState::require_built() const {
  require<StateError>(!shapes.empty(),
                      "{}: not built yet, its input's shape is not known; begin with an Input, or call build or fit",
                      options.name);
}

Rng SequentialState::layer_rng(std::size_t layer) const {
  Rng seeds(options.seed);
  for (std::size_t i = 0; i < layer; ++i) seeds.bits();
  return Rng(seeds.bits());
}

Var SequentialState::forward(Var x) const {
  require_built();
  require(x.rank() > 0 && x.shape().sub(1) == shapes.front(), "{}: an input of shape {}; {} is required, batch first",
          options.name, x.shape(), shapes.front().batched(x.rank() > 0 ? x.shape()[0] : 1));
  for (const AnyLayer& layer : layers) x = layer.forward(x);
  return x;
}

NamedParameters SequentialState::parameters() {
  NamedParameters result;
  for (AnyLayer& layer : layers) {
    for (const NamedParameter& named : layer.parameters()) {
      result.push_back({layer.name() + "/" + named.name, named.parameter});
    }
  }
  return result;
}

}  // namespace detail

using detail::SequentialState;

// ---- Making and copying ----

Sequential::Sequential() : state_(std::make_unique<SequentialState>()) {}

Sequential::Sequential(std::initializer_list<AnyLayer> layers, const SequentialOptions& options) : Sequential() {
  // `Sequential b{a}` is a list of one model to the compiler and a copy to everybody else.
  if (layers.size() == 1) {
    if (const auto* model = layers.begin()->as<Sequential>()) {
      *this = *model;
      return;
    }
  }
  state_->options = options;
  for (const AnyLayer& layer : layers) state_->insert(layer);
  if (!state_->layers.empty()) {
    if (const std::optional<Shape> input = state_->known_input()) build(*input);
  }
}

Sequential::Sequential(const Sequential& other) : state_(std::make_unique<SequentialState>()) {
  const SequentialState& from = *other.state_;
  state_->options = from.options;
  state_->declared_input = from.declared_input;
  state_->layers = from.layers;
  state_->shapes = from.shapes;
  state_->compiled = from.compiled;
  if (from.optimizer) state_->optimizer = from.optimizer->rebound(state_->parameters());
}

Sequential::Sequential(Sequential&& other) noexcept = default;

Sequential& Sequential::operator=(Sequential other) noexcept {
  state_ = std::move(other.state_);
  return *this;
}

Sequential::~Sequential() = default;

const std::string& Sequential::name() const { return state_->options.name; }

void Sequential::add(AnyLayer layer) {
  SequentialState& state = *state_;
  const std::size_t before = state.layers.size();
  state.insert(std::move(layer));
  if (state.layers.size() == before) return;  // an Input
  try {
    if (built()) {
      Rng rng = state.layer_rng(before);
      state.shapes.push_back(state.layers.back().build(state.shapes.back(), rng));
    } else if (const std::optional<Shape> input = state.known_input()) {
      build(*input);
    }
  } catch (...) {
    state.layers.pop_back();
    throw;
  }
  state.optimizer.reset();
}

void Sequential::pop() {
  require<StateError>(!state_->layers.empty(), "{}: there is no layer to take off", name());
  state_->layers.pop_back();
  if (!state_->shapes.empty()) state_->shapes.pop_back();
  if (state_->layers.empty()) state_->shapes.clear();
  state_->optimizer.reset();
}

Index Sequential::layer_count() const { return static_cast<Index>(state_->layers.size()); }

AnyLayer& Sequential::get_layer(std::string_view layer) { return state_->layers[state_->position(layer)]; }
const AnyLayer& Sequential::get_layer(std::string_view layer) const { return state_->layers[state_->position(layer)]; }
AnyLayer& Sequential::get_layer(Index position) { return state_->layers[state_->position(position)]; }
const AnyLayer& Sequential::get_layer(Index position) const { return state_->layers[state_->position(position)]; }

// ---- Building, weights, forward ----

void Sequential::build(const Shape& input) {
  Rng rng(state_->options.seed);
  build(input, rng);
}

Shape Sequential::build(const Shape& input, Rng& rng) {
  require<StateError>(!state_->layers.empty(), "{}: there are no layers to build", name());
  if (const std::optional<Shape> known = state_->known_input()) {
    require(*known == input, "{}: told to build for inputs of shape {}, its first layer takes {}", name(), input,
            *known);
  }
  std::vector<AnyLayer> layers = state_->layers;
  std::vector<Shape> shapes{input};
  for (AnyLayer& layer : layers) {
    Rng layer_rng(rng.bits());  // its own, so that a layer's weights do not depend on how many the one before drew
    shapes.push_back(layer.build(shapes.back(), layer_rng));
  }
  state_->layers = std::move(layers);
  state_->shapes = std::move(shapes);
  state_->optimizer.reset();
  return state_->shapes.back();
}

bool Sequential::built() const { return !state_->shapes.empty(); }

std::optional<Shape> Sequential::input_shape() const {
  return built() ? std::optional(state_->shapes.front()) : state_->known_input();
}

Shape Sequential::output_shape() const {
  state_->require_built();
  return state_->shapes.back();
}

Shape Sequential::output_shape(Index layer) const {
  state_->require_built();
  return state_->shapes[state_->position(layer) + 1];
}

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

void Sequential::set_weights(std::span<const Tensor> weights) {
  state_->require_built();
  const NamedParameters mine = parameters();
  require(weights.size() == mine.size(), "{}: {} weights for {} parameters", name(), weights.size(), mine.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    require(weights[i].shape() == mine[i].parameter->shape(), "{}: {} is {}, a weight of shape {} came for it", name(),
            mine[i].name, mine[i].parameter->shape(), weights[i].shape());
  }
  for (std::size_t i = 0; i < mine.size(); ++i) mine[i].parameter->value = weights[i];
}

Var Sequential::forward(Var x) const { return state_->forward(x); }

}  // namespace cornu
