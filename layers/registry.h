#pragma once

#include "cornu/core/options/registry.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

/// The names by which files know layers, activations and initializers. Cornu's own are known; one's own are registered,
/// before the first model that has them is saved or loaded:
///     register_layer<ScaleAndShift>();
///     register_activation("mish", mish);
/// A layer's options are those that its `void options(auto& visit)` names (core/options/options.h); one without it has
/// none.
namespace cornu {

namespace detail {

Registry<AnyLayer>& layer_registry();
Registry<Initializer>& initializer_registry();
using InitializerFunction = void (*)(View, Rng&);

}  // namespace detail

/// By the name of its struct, or by another one. `make` gives a layer whose options are about to be read; a layer that
/// can be written `L{}` needs none. Throws ValueError if the name is taken by another type.
template <Layer L>
requires std::default_initializable<L>
void register_layer(std::string name = std::string(detail::type_name<L>())) {
  detail::layer_registry().add<L>(std::move(name));
}
template <Layer L>
void register_layer(std::string name, std::function<L()> make) {
  detail::layer_registry().add<L>(std::move(name), std::move(make));
}

/// An initializer that is a struct, callable with (View out, Rng& rng), its options named by `options`.
template <std::default_initializable I>
void register_initializer(std::string name = std::string(detail::type_name<I>())) {
  detail::initializer_registry().add<I>(std::move(name));
}
/// Plain functions. Throw ValueError if the name is taken by another one.
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
