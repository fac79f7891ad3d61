#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/error.h"
#include "cornu/core/ops.h"
#include "cornu/core/type_name.h"

namespace cornu {

/// A layer is a struct that can be copied and has `Var forward(Var) const`. Three more members are used where they
/// exist:
///   Shape build(const Shape& input, Rng& rng)    checks the input's shape, makes and initialises the parameters, and
///                                                returns the output's shape; both without the batch. Without it the
///                                                output's shape is found by a forward pass over one sample of zeros.
///   NamedParameters parameters()                 every Parameter that `forward` reads.
///   std::optional<Shape> input_shape() const     the shape, without the batch, of the only input that it takes, if it
///                                                knows: a model that begins with it needs no other word of its input.
template <class L>
concept Layer = std::copy_constructible<L> && requires(const L& layer, Var x) {
  { layer.forward(x) } -> std::same_as<Var>;
};

namespace detail {

/// What a layer without `build` makes of inputs of this shape.
Shape shape_by_forward(const Shape& input, Var (*forward)(const void* layer, Var x), const void* layer);

}  // namespace detail

/// Any layer, held by value, with the name that errors, summaries and files know it by. Copying copies the layer. One
/// that was moved from can be assigned to or destroyed; any other use throws StateError.
class AnyLayer {
 public:
  template <class L>
  requires(!std::same_as<L, AnyLayer> && Layer<L>) AnyLayer(L layer) : AnyLayer("", std::move(layer)) {}

  /// With a name of its own: `Sequential model{{"hidden", Dense{128, relu}}, ...}`. A model names the others.
  template <class L>
  requires(!std::same_as<L, AnyLayer> && Layer<L>) AnyLayer(std::string name, L layer)
      : name_(std::move(name)), box_(std::make_unique<BoxOf<L>>(std::move(layer))) {}

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

  /// As the concept tells. Errors of Cornu gain the layer's name, or its type's while it has none; all others pass.
  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters() { return box_->parameters(); }
  std::vector<std::pair<std::string, const Parameter*>> parameters() const;
  std::optional<Shape> input_shape() const { return box_->input_shape(); }

  /// The layer itself if it is an L, else null.
  template <Layer L>
  L* as() {
    auto* box = dynamic_cast<BoxOf<L>*>(box_.get());
    return box == nullptr ? nullptr : &box->layer;
  }
  template <Layer L>
  const L* as() const {
    const auto* box = dynamic_cast<const BoxOf<L>*>(box_.get());
    return box == nullptr ? nullptr : &box->layer;
  }

 private:
  struct Box : detail::Cloneable<Box> {
    virtual std::string_view type() const = 0;
    virtual Shape build(const Shape& input, Rng& rng) = 0;
    virtual Var forward(Var x) const = 0;
    virtual NamedParameters parameters() = 0;
    virtual std::optional<Shape> input_shape() const = 0;
  };

  template <class L>
  struct BoxOf final : Box {
    L layer;

    explicit BoxOf(L l) : layer(std::move(l)) {}
    std::unique_ptr<Box> clone() const override { return std::make_unique<BoxOf>(*this); }
    std::string_view type() const override { return detail::type_name<L>(); }
    Var forward(Var x) const override { return layer.forward(x); }

    // A function of one of these names that cannot be called as a layer's is a mistake: say so, do not pass it by.
    Shape build(const Shape& input, Rng& rng) override {
      if constexpr (requires { layer.build(input, rng); }) {
        return layer.build(input, rng);
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::build)>; },
            "a layer's build must be: Shape build(const Shape& input, Rng& rng)");
        return detail::shape_by_forward(
            input, [](const void* l, Var x) { return static_cast<const L*>(l)->forward(x); }, &layer);
      }
    }
    NamedParameters parameters() override {
      if constexpr (requires { layer.parameters(); }) {
        return layer.parameters();
      } else {
        static_assert(
            !requires { requires std::is_member_function_pointer_v<decltype(&L::parameters)>; },
            "a layer's parameters must be: NamedParameters parameters()");
        return {};
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

  void add_name(Error& error) const;

  std::string name_;
  detail::DeepPtr<Box> box_;
};

/// A type's name as Keras writes it for a layer's default name: "Dense" is "dense", "ReLU" is "re_lu".
std::string snake_case(std::string_view type);

}  // namespace cornu
