#include "cornu/models/sequential.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/layers/input.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

// ---- The layers ----

namespace detail {

std::string SequentialState::free_name(const AnyLayer& layer) const {
  const auto* const model = layer.as<Sequential>();
  const std::string base = model != nullptr ? model->name() : snake_case(layer.type());
  const auto taken = [&](const std::string& name) {
    return std::any_of(layers.begin(), layers.end(), [&](const AnyLayer& other) { return other.name() == name; });
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
    layer.rename(free_name(layer));
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
  if (found != layers.end()) return static_cast<std::size_t>(found - layers.begin());
  std::string names;
  for (const AnyLayer& layer : layers) names += (names.empty() ? "" : ", ") + layer.name();
  throw ValueError(message("{}: there is no layer named \"{}\"; there are: {}", options.name, layer_name, names));
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
  const Index batch = x.shape()[0];
  for (std::size_t i = 0; i < layers.size(); ++i) {
    x = layers[i].forward(x);
    // Whoever asks for output_shape makes room by it.
    require(x.rank() > 0 && x.shape()[0] == batch && x.shape().sub(1) == shapes[i + 1],
            "{}: forward made {} of a batch of {}; when it was built, the samples it makes had shape {}",
            layers[i].name(), x.shape(), batch, shapes[i + 1]);
  }
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

Sequential::Sequential(std::initializer_list<AnyLayer> layers) : Sequential() {
  // `Sequential b{a}` is a list of one model to the compiler and a copy to everybody else.
  const auto* const model =
      layers.size() == 1 && layers.begin()->name().empty() ? layers.begin()->as<Sequential>() : nullptr;
  if (model != nullptr) {
    *this = *model;
  } else {
    for (const AnyLayer& layer : layers) add(layer);
  }
}

Sequential::Sequential(std::initializer_list<AnyLayer> layers, const SequentialOptions& options) : Sequential() {
  state_->options = options;
  for (const AnyLayer& layer : layers) add(layer);
}

Sequential::Sequential(const Sequential& other) : Sequential() {
  static_cast<detail::SequentialParts&>(*state_) = *other.state_;
  if (state_->optimizer) state_->optimizer = other.state_->optimizer->rebound(state_->parameters());
}

Sequential::Sequential(Sequential&& other) noexcept = default;

Sequential& Sequential::operator=(Sequential other) noexcept {
  if (state_ != nullptr && other.state_ != nullptr) {
    static_cast<detail::SequentialParts&>(*state_) = std::move(*other.state_);
    state_->report.reset();
  } else {
    state_ = std::move(other.state_);
  }
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
