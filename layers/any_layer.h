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
#include "cornu/core/ops/sequences.h"
#include "cornu/core/options/type_name.h"
#include "cornu/layers/layer.h"

namespace cornu {

namespace detail {

/// Notified of every AnyLayer that a pass calls, nested ones included. Used to build, list and search layers.
/// See Tape::observe_layers.
class LayerObserver : public Polymorphic {
 public:
  virtual void before(const AnyLayer& layer, std::span<const Var> inputs) = 0;
  virtual void after(const AnyLayer& layer, Var output) = 0;
};

void require_input_count(std::size_t required, std::size_t came);
[[noreturn]] void refuse_state();

/// Returns f(std::make_index_sequence<count>()). Throws ShapeError if L's forward does not take `count` inputs.
template <class L, std::size_t n = input_count<L>(), class F>
decltype(auto) with_inputs(std::size_t count, F f) {
  constexpr std::size_t more = input_count_from<L, n + 1>();
  if constexpr (more > 0) {
    if (count != n) return with_inputs<L, more>(count, f);
  } else if (count != n) {
    require_input_count(input_count<L>(), count);
  }
  return f(std::make_index_sequence<n>());
}

/// Parameters named by path, such as `left/kernel`. A layer that is listed twice counts once.
NamedParameters parameters_of(const NamedLayers& layers);

}  // namespace detail

/// Any layer, held by value, and the name that errors, summaries and files use for it. Copying copies the layer. A
/// moved-from AnyLayer can only be assigned to or destroyed; any other use throws StateError.
class AnyLayer {
 public:
  template <class L>
  requires(!std::same_as<L, AnyLayer> && detail::meant_as_layer<L>) AnyLayer(L layer)
      : AnyLayer("", std::move(layer)) {}

  /// Names the layer: `Sequential model{{"hidden", Dense{128, relu}}, ...}`. A model names the others.
  template <class L>
  requires(!std::same_as<L, AnyLayer> && detail::meant_as_layer<L>) AnyLayer(std::string name, L layer)
      : name_(std::move(name)), box_(boxed(std::move(layer))) {}
  /// A layer of another model under a new name: `{"trunk", trained.get_layer("features")}`.
  AnyLayer(std::string name, AnyLayer layer) : name_(std::move(name)), box_(std::move(layer.box_)) {}

  AnyLayer(const AnyLayer&) = default;
  AnyLayer(AnyLayer&&) noexcept = default;
  AnyLayer& operator=(AnyLayer other) noexcept {  // by value, so that self-move is safe
    name_ = std::move(other.name_);
    box_ = std::move(other.box_);
    return *this;
  }
  ~AnyLayer() = default;

  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  /// The name of the struct: "Dense".
  std::string_view type() const { return box_->type(); }

  /// The name given to a layer without one: "dense", or what the struct's name() returns.
  std::string default_name() const { return box_->default_name(); }

  /// Calls the struct's build, but keeps every parameter value that already exists: a layer that was built, trained or
  /// loaded keeps its weights and frozen flags. Call reset_parameters first to initialise them again. Throws
  /// ShapeError, changing nothing, if the inputs require a parameter of another shape.
  /// Cornu's errors are prefixed with the layer's name, or its type's if it has none; other exceptions pass unchanged.
  Shape build(const Shape& input, Rng& rng) { return build_several({&input, 1}, rng); }
  Var forward(Var x) const { return forward_several({&x, 1}); }
  /// The same for one or more inputs.
  Shape build_several(std::span<const Shape> inputs, Rng& rng);
  Var forward_several(std::span<const Var> inputs) const;
  /// Function-call syntax: `head(concatenate({left(a), right(b)}))`.
  template <std::same_as<Var>... Vars>
  requires(sizeof...(Vars) > 0) Var operator()(Vars... inputs) const {
    return forward_several(std::array<Var, sizeof...(Vars)>{inputs...});
  }
  /// For a recurrent layer, from an initial state: const auto [y, state] = encoder(x, {}). Throws ValueError for a
  /// layer without RecurrentOutput forward(Var x, const RecurrentState& initial) const.
  RecurrentOutput forward(Var x, const RecurrentState& initial) const;
  RecurrentOutput operator()(Var x, const RecurrentState& initial) const { return forward(x, initial); }
  NamedLayers layers() const { return box_->layers(); }
  NamedParameters parameters() { return box_->parameters(); }
  std::vector<std::pair<std::string, const Parameter*>> parameters() const;
  std::optional<Shape> input_shape() const { return box_->input_shape(); }
  /// What the struct declares as `traits`, or the defaults.
  LayerTraits traits() const { return box_->traits(); }
  bool returns_last_step() const { return box_->returns_last_step(); }
  /// The option of this name; null if the layer has none.
  bool* go_backwards() { return box_->go_backwards(); }
  /// Adds the layer's tensors to an equivalent PyTorch module. Returns false if the struct does not say which they are.
  bool pytorch(PyTorchModule& module) { return box_->pytorch(module); }
  Index pytorch_modules() const { return box_->pytorch_modules(); }

  /// The layer itself if it is an L, else null. The address is valid until this AnyLayer is rebuilt, assigned to or
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
    virtual std::optional<Shape> build(std::span<const Shape> inputs, Rng& rng) = 0;  // nullopt if L has no build
    virtual Var forward(std::span<const Var> inputs) const = 0;
    virtual RecurrentOutput forward_from(Var x, const RecurrentState& initial) const = 0;
    virtual NamedLayers layers() = 0;
    virtual NamedParameters parameters() = 0;
    virtual std::optional<Shape> input_shape() const = 0;
    virtual LayerTraits traits() const = 0;
    virtual bool returns_last_step() const = 0;
    virtual bool* go_backwards() = 0;
    virtual bool pytorch(PyTorchModule& module) = 0;
    virtual Index pytorch_modules() const = 0;
  };

  template <class L>
  struct BoxOf final : Box {
    L layer;

    explicit BoxOf(L l) : layer(std::move(l)) {}
    std::unique_ptr<Box> clone() const override { return std::make_unique<BoxOf>(*this); }
    std::string_view type() const override { return detail::type_name<L>(); }
    std::string default_name() const override;
    Var forward(std::span<const Var> inputs) const override {
      return detail::with_inputs<L>(
          inputs.size(), [&]<std::size_t... i>(std::index_sequence<i...>) { return layer.forward(inputs[i]...); });
    }
    RecurrentOutput forward_from(Var x, const RecurrentState& initial) const override {
      if constexpr (requires { requires std::same_as<decltype(layer.forward(x, initial)), RecurrentOutput>; }) {
        return layer.forward(x, initial);
      } else {
        detail::refuse_state();
      }
    }

    // A member with one of these names and another signature is a mistake: reject it rather than ignore it.
    std::optional<Shape> build(std::span<const Shape> inputs, Rng& rng) override {
      constexpr std::size_t fewest = detail::input_count<L>();
      if constexpr (detail::has_build<L>(std::make_index_sequence<fewest>())) {
        return detail::with_inputs<L>(
            inputs.size(), [&]<std::size_t... i>(std::index_sequence<i...>)->std::optional<Shape> {
              if constexpr (detail::has_build<L>(std::index_sequence<i...>())) return layer.build(inputs[i]..., rng);
              detail::require_input_count(fewest, inputs.size());
              return std::nullopt;
            });
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::build)>; },
            "a layer's build must be: Shape build(const Shape& input, Rng& rng), with a shape for each input");
        return detail::with_inputs<L>(inputs.size(), [](auto) -> std::optional<Shape> { return std::nullopt; });
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
    LayerTraits traits() const override {
      if constexpr (requires { requires std::convertible_to<decltype(L::traits), LayerTraits>; }) {
        return L::traits;
      } else {
        static_assert(
            !requires { L::traits; }, "a layer's traits must be: static constexpr LayerTraits traits{...}");
        return {};
      }
    }
    bool returns_last_step() const override {
      if constexpr (requires { layer.returns_last_step(); }) {
        return layer.returns_last_step();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::returns_last_step)>; },
            "a layer's returns_last_step must be: bool returns_last_step() const");
        return false;
      }
    }
    bool* go_backwards() override {
      if constexpr (requires { requires std::same_as<decltype(layer.go_backwards), bool>; }) {
        return &layer.go_backwards;
      } else {
        return nullptr;
      }
    }
    bool pytorch(PyTorchModule& module) override {
      if constexpr (requires { layer.pytorch(module); }) {
        layer.pytorch(module);
        return true;
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::pytorch)>; },
            "a layer's pytorch must be: void pytorch(PyTorchModule& module)");
        return false;
      }
    }
    Index pytorch_modules() const override {
      if constexpr (requires { layer.pytorch_modules(); }) {
        return layer.pytorch_modules();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::pytorch_modules)>; },
            "a layer's pytorch_modules must be: Index pytorch_modules() const");
        return 1;
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

namespace detail {
/// Converts a type's name to a default layer name, as in Keras: "Dense" becomes "dense", "ReLU" becomes "re_lu".
std::string snake_case(std::string_view type);
}  // namespace detail

template <class L>
std::string AnyLayer::BoxOf<L>::default_name() const {
  if constexpr (requires { std::string(layer.name()); }) {
    return std::string(layer.name());
  } else {
    return detail::snake_case(type());
  }
}

}  // namespace cornu
