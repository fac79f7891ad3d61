#pragma once

#include <array>
#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/options/type_name.h"

namespace cornu {

class AnyLayer;

/// A layer that another one owns, under its owner's name for it.
struct NamedLayer {
  std::string name;
  AnyLayer* layer = nullptr;
};
/// In a fixed order: {{"left", &left}, {"right", &right}}.
using NamedLayers = std::vector<NamedLayer>;

namespace detail {

inline constexpr std::size_t most_inputs = 8;

/// How many values L's forward takes; 0 if it has none that is a layer's.
template <class L, class... Vars>
constexpr std::size_t input_count() {
  if constexpr (sizeof...(Vars) > most_inputs) {
    return 0;
  } else if constexpr (requires(const L& layer, Vars... x) {
                         requires sizeof...(Vars) > 0;
                         { layer.forward(x...) } -> std::same_as<Var>;
                       }) {
    return sizeof...(Vars);
  } else {
    return input_count<L, Vars..., Var>();
  }
}

/// Whether L has a build of as many shapes.
template <class L, std::size_t... i>
constexpr bool has_build(std::index_sequence<i...>) {
  return requires(L & layer, const Shape& input, Rng& rng) { layer.build((static_cast<void>(i), input)..., rng); };
}

// Not `Layer`: to ask whether a struct that is made from an AnyLayer can be copied is to ask whether it can be made an
// AnyLayer.
template <class L>
concept is_layer = input_count<L>()
> 0;

// ---- What is nearly a layer: it is accepted, and then refused by a static_assert that says why ----

struct HasForward {
  int forward = 0;
};
template <class L>
struct AmbiguousForward : L, HasForward {};

/// Whether L has a member of that name, which may be private or overloaded.
template <class L>
constexpr bool names_forward() {
  if constexpr (std::is_class_v<L> && !std::is_final_v<L>) {
    return !requires { &AmbiguousForward<L>::forward; };
  } else {
    return requires { &L::forward; };
  }
}

/// Whether forward of an L, const or not, can be called with up to eight Vars.
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

/// A layer is a struct that can be copied and has `Var forward(Var) const`, or one of up to eight inputs. More members
/// are used where they exist:
///   Shape build(const Shape& input, Rng& rng)    checks the input's shape, makes and initialises the parameters, and
///                                                returns the output's shape; both without the batch. Without it the
///                                                output's shape is found by a forward pass over one sample of zeros.
///                                                A shape for each input, where there are several. If the layer has
///                                                parameters already, AnyLayer puts their values back afterwards.
///   NamedParameters parameters()                 every Parameter that `forward` reads.
///   NamedLayers layers()                         the layers that it owns and calls, each an AnyLayer: `left(x)`.
///                                                Their parameters are its own, so that `parameters` need not be
///                                                written; and where there is no `build`, the forward pass over zeros
///                                                builds each of them as soon as it is called.
///   std::optional<Shape> input_shape() const     the shape, without the batch, of the only input that it takes, if it
///                                                knows: a model that begins with it needs no other word of its input.
///   name() const                                 what it is called where nobody names it; else its type's name is.
template <class L>
concept Layer = std::copy_constructible<L> && detail::is_layer<L>;

namespace detail {

/// Is told of every AnyLayer that a pass goes through, those inside others too: what builds, lists and searches them.
/// See Tape::observe_layers.
class LayerObserver {
 public:
  LayerObserver() = default;
  LayerObserver(const LayerObserver&) = delete;
  LayerObserver& operator=(const LayerObserver&) = delete;
  virtual ~LayerObserver() = default;
  virtual void before(const AnyLayer& layer, std::span<const Var> inputs) = 0;
  virtual void after(const AnyLayer& layer, Var output) = 0;
};

void require_input_count(std::size_t required, std::size_t came);

/// f(values[0], values[1], ...), n of them.
template <std::size_t n, class T, class F>
decltype(auto) spread(std::span<const T> values, F f) {
  require_input_count(n, values.size());
  return [&]<std::size_t... i>(std::index_sequence<i...>)->decltype(auto) { return f(values[i]...); }
  (std::make_index_sequence<n>());
}

/// As `left/kernel`. A layer that is listed twice counts once.
NamedParameters parameters_of(const NamedLayers& layers);

}  // namespace detail

/// Any layer, held by value, with the name that errors, summaries and files know it by. Copying copies the layer. One
/// that was moved from can be assigned to or destroyed; any other use throws StateError.
class AnyLayer {
 public:
  template <class L>
  requires(!std::same_as<L, AnyLayer> && detail::meant_as_layer<L>) AnyLayer(L layer)
      : AnyLayer("", std::move(layer)) {}

  /// With a name of its own: `Sequential model{{"hidden", Dense{128, relu}}, ...}`. A model names the others.
  template <class L>
  requires(!std::same_as<L, AnyLayer> && detail::meant_as_layer<L>) AnyLayer(std::string name, L layer)
      : name_(std::move(name)), box_(boxed(std::move(layer))) {}
  /// A layer of another model under a name of its own here: `{"trunk", trained.get_layer("features")}`.
  AnyLayer(std::string name, AnyLayer layer) : name_(std::move(name)), box_(std::move(layer.box_)) {}

  AnyLayer(const AnyLayer&) = default;
  AnyLayer(AnyLayer&&) noexcept = default;
  AnyLayer& operator=(AnyLayer other) noexcept {  // by value, so that moving a layer to itself keeps it
    name_ = std::move(other.name_);
    box_ = std::move(other.box_);
    return *this;
  }
  ~AnyLayer() = default;

  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  /// The name of the struct: "Dense".
  std::string_view type() const { return box_->type(); }

  /// What it is called where nobody names it: "dense", or what the layer itself says.
  std::string default_name() const { return box_->default_name(); }

  /// Calls the struct's build, but keeps the value of every parameter that has one: a layer that was built, trained or
  /// loaded before stays what it is, frozen parameters included. To start anew, call reset_parameters first. Throws
  /// ShapeError, changing nothing, if the inputs require a parameter of another shape than the layer has.
  /// Errors of Cornu gain the layer's name, or its type's while it has none; all others pass.
  Shape build(const Shape& input, Rng& rng) { return build_several({&input, 1}, rng); }
  Var forward(Var x) const { return forward_several({&x, 1}); }
  /// The same with any number of inputs, one at least.
  Shape build_several(std::span<const Shape> inputs, Rng& rng);
  Var forward_several(std::span<const Var> inputs) const;
  /// The same as a formula: `head(concatenate({left(a), right(b)}))`.
  template <std::same_as<Var>... Vars>
  requires(sizeof...(Vars) > 0) Var operator()(Vars... inputs) const {
    return forward_several(std::array<Var, sizeof...(Vars)>{inputs...});
  }
  NamedLayers layers() const { return box_->layers(); }
  NamedParameters parameters() { return box_->parameters(); }
  std::vector<std::pair<std::string, const Parameter*>> parameters() const;
  std::optional<Shape> input_shape() const { return box_->input_shape(); }

  /// The layer itself if it is an L, else null. The address is valid until this AnyLayer is built anew, assigned to or
  /// destroyed.
  template <Layer L>
  L* as() {
    auto* box = dynamic_cast<BoxOf<L>*>(&*box_);
    return box == nullptr ? nullptr : &box->layer;
  }
  template <Layer L>
  const L* as() const {
    const auto* box = dynamic_cast<const BoxOf<L>*>(&*box_);
    return box == nullptr ? nullptr : &box->layer;
  }

 private:
  struct Box : detail::Cloneable<Box> {
    virtual std::string_view type() const = 0;
    virtual std::string default_name() const = 0;
    virtual std::optional<Shape> build(std::span<const Shape> inputs, Rng& rng) = 0;  // nothing if it has no build
    virtual Var forward(std::span<const Var> inputs) const = 0;
    virtual NamedLayers layers() = 0;
    virtual NamedParameters parameters() = 0;
    virtual std::optional<Shape> input_shape() const = 0;
  };

  template <class L>
  struct BoxOf final : Box {
    L layer;

    explicit BoxOf(L l) : layer(std::move(l)) {}
    std::unique_ptr<Box> clone() const override { return std::make_unique<BoxOf>(*this); }
    std::string_view type() const override { return detail::type_name<L>(); }
    std::string default_name() const override;
    Var forward(std::span<const Var> inputs) const override {
      return detail::spread<detail::input_count<L>()>(inputs, [&](auto... x) { return layer.forward(x...); });
    }

    // A function of one of these names that cannot be called as a layer's is a mistake: say so, do not pass it by.
    std::optional<Shape> build(std::span<const Shape> inputs, Rng& rng) override {
      constexpr std::size_t count = detail::input_count<L>();
      if constexpr (detail::has_build<L>(std::make_index_sequence<count>())) {
        return detail::spread<count>(inputs, [&](const auto&... input) { return layer.build(input..., rng); });
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::build)>; },
            "a layer's build must be: Shape build(const Shape& input, Rng& rng), with a shape for each input");
        detail::require_input_count(count, inputs.size());
        return std::nullopt;
      }
    }
    NamedLayers layers() override {
      if constexpr (requires { layer.layers(); }) {
        return layer.layers();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::layers)>; },
            "a layer's layers must be: NamedLayers layers()");
        return {};
      }
    }
    NamedParameters parameters() override {
      if constexpr (requires { layer.parameters(); }) {
        return layer.parameters();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::parameters)>; },
            "a layer's parameters must be: NamedParameters parameters()");
        return detail::parameters_of(layers());
      }
    }
    std::optional<Shape> input_shape() const override {
      if constexpr (requires { layer.input_shape(); }) {
        return layer.input_shape();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::input_shape)>; },
            "a layer's input_shape must be: std::optional<Shape> input_shape() const");
        return std::nullopt;
      }
    }
  };

  class Builder;
  template <class L>
  static std::unique_ptr<Box> boxed(L layer) {
    if constexpr (Layer<L>) {
      return std::make_unique<BoxOf<L>>(std::move(layer));
    } else {
      detail::explain_why_no_layer<L>();
      return nullptr;
    }
  }
  Shape build_unnamed(std::span<const Shape> inputs, Rng& rng);
  Shape build_anew(std::span<const Shape> inputs, Rng& rng);
  void add_name(Error& error) const;

  std::string name_;
  detail::DeepPtr<Box> box_;
};

/// A type's name as Keras writes it for a layer's default name: "Dense" is "dense", "ReLU" is "re_lu".
std::string snake_case(std::string_view type);

template <class L>
std::string AnyLayer::BoxOf<L>::default_name() const {
  if constexpr (requires { std::string(layer.name()); }) {
    return std::string(layer.name());
  } else {
    return snake_case(type());
  }
}

}  // namespace cornu
