#pragma once

#include "cornu/core/options/registry.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/any_layer.h"
#include "cornu/layers/initializers.h"

/// Names of layers, activations and initializers in files. Cornu's are registered already. Register a user's before the
/// first model that uses them is saved or loaded:
///     register_layer<ScaleAndShift>();
///     register_activation("snake", snake);
/// A layer's options are those its `void options(auto& visit)` visits (core/options/options.h); without it, it has
/// none.
namespace cornu {

namespace detail {

using InitializerFunction = void (*)(View, Rng&);

Registry<AnyLayer>& layer_registry();
Registry<Initializer>& initializer_registry();
FunctionRegistry<Activation::Function>& activation_registry();
FunctionRegistry<InitializerFunction>& initializer_functions();

}  // namespace detail

/// Registers a layer under the name of its struct, or under another name. `make` returns a layer whose options are then
/// read from the file; it is needed only if `L{}` does not compile. Throws ValueError if another type has the name.
template <Layer L>
requires std::default_initializable<L>
void register_layer(std::string name = std::string(detail::type_name<L>())) {
  detail::layer_registry().add<L>(std::move(name));
}
template <Layer L>
void register_layer(std::string name, std::function<L()> make) {
  detail::layer_registry().add<L>(std::move(name), std::move(make));
}

/// Registers an initializer struct, callable with (View out, Rng& rng). Its options are those `options` visits.
template <std::default_initializable I>
void register_initializer(std::string name = std::string(detail::type_name<I>())) {
  detail::initializer_registry().add<I>(std::move(name));
}
/// Register plain functions. Throw ValueError if another function has the name.
void register_initializer(std::string name, detail::InitializerFunction function);
void register_activation(std::string name, Activation activation);

/// {"class_name": "Dense", "name": "dense", "config": {"units": 10, ...}}
void to_json(Json& json, const AnyLayer& layer);
AnyLayer json_to(const Json& json, As<AnyLayer>);
/// "relu"
void to_json(Json& json, const Activation& activation);
void from_json(const Json& json, Activation& activation);
/// "glorot_uniform", or {"class_name": "Constant", "config": {"value": 1}}
void to_json(Json& json, const Initializer& initializer);
void from_json(const Json& json, Initializer& initializer);

}  // namespace cornu
