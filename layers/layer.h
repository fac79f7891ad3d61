#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/ops/ops.h"
#include "cornu/layers/layer_traits.h"

namespace cornu {

class AnyLayer;
class PyTorchModule;

/// A layer owned by another one, with the name its owner gives it.
struct NamedLayer {
  std::string name;
  AnyLayer* layer = nullptr;
};
/// In a fixed order: {{"left", &left}, {"right", &right}}.
using NamedLayers = std::vector<NamedLayer>;

namespace detail {

inline constexpr std::size_t most_inputs = 8;

/// True if L::forward takes one Var per index in `i`.
template <class L, std::size_t... i>
constexpr bool has_forward(std::index_sequence<i...>) {
  return requires(const L& layer, Var x) {
    { layer.forward((static_cast<void>(i), x)...) } -> std::same_as<Var>;
  };
}

/// The smallest number of Vars, `n` or more, that L::forward takes; 0 if there is none.
template <class L, std::size_t n>
constexpr std::size_t input_count_from() {
  if constexpr (n > most_inputs) {
    return 0;
  } else if constexpr (has_forward<L>(std::make_index_sequence<n>())) {
    return n;
  } else {
    return input_count_from<L, n + 1>();
  }
}

/// The smallest number of Vars that L::forward takes; 0 if it cannot be called as a layer's forward.
template <class L>
constexpr std::size_t input_count() {
  return input_count_from<L, 1>();
}

/// True if L has a build that takes one Shape per index in `i`.
template <class L, std::size_t... i>
constexpr bool has_build(std::index_sequence<i...>) {
  return requires(L & layer, const Shape& input, Rng& rng) { layer.build((static_cast<void>(i), input)..., rng); };
}

// Separate from `Layer`, whose check for copyability would recurse: for a struct constructible from AnyLayer, it asks
// whether the struct converts to AnyLayer.
template <class L>
concept is_layer = input_count<L>()
> 0;

// ---- Types that are almost layers: accepted here, then rejected by a static_assert that says why ----

struct HasForward {
  int forward = 0;
};
template <class L>
struct AmbiguousForward : L, HasForward {};

/// True if L has a member named forward, even a private or overloaded one.
template <class L>
constexpr bool names_forward() {
  if constexpr (std::is_class_v<L> && !std::is_final_v<L>) {
    return !requires { &AmbiguousForward<L>::forward; };
  } else {
    return requires { &L::forward; };
  }
}

/// True if L's forward, const or not, can be called with one to eight Vars.
template <class L, class... Vars>
constexpr bool has_callable_forward() {
  if constexpr (sizeof...(Vars) > most_inputs) {
    return false;
  } else if constexpr (requires(L & layer, Vars... x) {
                         requires sizeof...(Vars) > 0;
                         layer.forward(x...);
                       }) {
    return true;
  } else {
    return has_callable_forward<L, Vars..., Var>();
  }
}

template <class L>
concept meant_as_layer = is_layer<L> ||
    names_forward<L>() || std::convertible_to<const L&, std::string_view> || std::invocable<const L&, Var>;

template <class L>
constexpr void explain_why_no_layer() {
  if constexpr (is_layer<L>) {
    static_assert(!is_layer<L>, "a layer must be copyable");
  } else if constexpr (std::convertible_to<const L&, std::string_view>) {
    static_assert(
        !std::convertible_to<const L&, std::string_view>,
        "a layer is a struct such as Dense{10}, not a string; a name comes before it: {\"hidden\", Dense{10}}");
  } else if constexpr (!names_forward<L>()) {
    static_assert(names_forward<L>(),
                  "a function is not a layer: use Activation{f}, or a struct with Var forward(Var x) const");
  } else if constexpr (has_callable_forward<const L>()) {
    static_assert(!has_callable_forward<const L>(), "a layer's forward must return a Var: Var forward(Var x) const");
  } else if constexpr (has_callable_forward<L>()) {
    static_assert(!has_callable_forward<L>(), "a layer's forward must be const: Var forward(Var x) const");
  } else {
    static_assert(has_callable_forward<L>(),
                  "a layer's forward must be public and take one to eight Vars: Var forward(Var x) const");
  }
}

}  // namespace detail

/// A layer is a copyable struct with `Var forward(Var) const`, or with a forward of up to eight inputs.
/// Optional members:
///   Shape build(const Shape& input, Rng& rng)    checks the input shape, creates and initialises the parameters and
///                                                returns the output shape. Shapes exclude the batch axis. With several
///                                                inputs it takes one Shape per input. Without build, the output shape
///                                                comes from a forward pass over one sample of zeros. If the layer
///                                                already has parameters, AnyLayer restores their values afterwards.
///   NamedParameters parameters()                 every Parameter that `forward` reads.
///   NamedLayers layers()                         the layers it owns and calls, each an AnyLayer: `left(x)`. Their
///                                                parameters belong to it, so `parameters` is not needed. Without
///                                                build, each is built when the forward pass over zeros calls it.
///   std::optional<Shape> input_shape() const     the only input shape it accepts, without the batch axis, if known. A
///                                                model that begins with this layer needs no Input.
///   name() const                                 its default name; otherwise the name of its type.
///   static constexpr LayerTraits traits{...}     what is true of its type, see layers/layer_traits.h.
///   bool returns_last_step() const               true if it drops the time steps, and has an option
///                                                return_sequences to keep them. Errors then mention the option.
///   RecurrentOutput forward(Var x, const RecurrentState& initial) const
///                                                of a recurrent layer: also takes an initial state and returns the
///                                                last.
///   bool go_backwards                            an option to process the last time step first, for Bidirectional.
///   void pytorch(PyTorchModule& module)          its tensors in PyTorch, for files with PyTorch's names, see
///                                                layers/pytorch/pytorch_module.h. Without it, they are called as here.
///   Index pytorch_modules() const                the number of modules of an nn.Sequential that it corresponds to, if
///                                                not 1.
template <class L>
concept Layer = std::copy_constructible<L> && detail::is_layer<L>;

}  // namespace cornu
