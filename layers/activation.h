#pragma once

#include <concepts>
#include <type_traits>

#include "cornu/layers/layer.h"

namespace cornu {

/// A function of one value: relu, gelu, softmax, a user's `Var f(Var)`, or a lambda without captures.
/// Used as an option (`Dense{64, relu}`) or as a layer (`Activation{relu}`). A function with options is a separate
/// layer, such as LeakyReLU. Throws ValueError for a null pointer.
class Activation {
 public:
  using Function = Var (*)(Var);

  Activation(Function f);
  template <class F>
  requires(std::is_class_v<F>&& std::convertible_to<const F&, Function>) Activation(const F& f)
      : Activation(static_cast<Function>(f)) {}
  template <std::convertible_to<std::string_view> Text>
  requires(!std::is_null_pointer_v<Text>) Activation(const Text&) {
    static_assert(!std::convertible_to<Text, std::string_view>, "an activation is a function, not a string: relu");
  }

  Function function() const { return function_; }
  /// True for this function: `activation.is(relu)`.
  bool is(Function f) const { return function_ == f; }
  void options(auto& visit) { visit("activation", *this); }
  Var operator()(Var x) const { return function_(x); }
  Var forward(Var x) const { return function_(x); }

 private:
  Function function_;
};

/// max(x, 0). Any shape.
struct ReLU {
  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return relu(x); }
};

/// 1 / (1 + e^-x). Any shape. A binary cross-entropy on its output is computed from x, for accuracy.
struct Sigmoid {
  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return sigmoid(x); }
};

/// (e^x - e^-x) / (e^x + e^-x). Any shape.
struct Tanh {
  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return tanh(x); }
};

/// x if x > 0, else negative_slope x. Any shape. Throws ValueError unless negative_slope is finite.
struct LeakyReLU {
  double negative_slope = 0.3;

  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return leaky_relu(x, negative_slope); }
  void options(auto& visit) { visit("negative_slope", negative_slope); }
};

/// x if x > 0, else alpha (e^x - 1). Any shape. Throws ValueError unless alpha is finite.
struct ELU {
  double alpha = 1;

  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return elu(x, alpha); }
  void options(auto& visit) { visit("alpha", alpha); }
};

/// x P(Z < x), Z standard normal. `approximate` uses the tanh approximation. Any shape.
struct GELU {
  bool approximate = false;

  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return gelu(x, {.approximate = approximate}); }
  void options(auto& visit) { visit("approximate", approximate); }
};

/// x / (1 + e^-x), also called SiLU. Any shape.
struct Swish {
  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return swish(x); }
};

/// log(1 + e^x). Any shape.
struct Softplus {
  Shape build(const Shape& input, Rng&) const { return input; }
  Var forward(Var x) const { return softplus(x); }
};

/// e^x / sum of e^x along `axis`. As in Keras, the batch axis counts: 1 is a sample's first axis, -1 the last.
/// A cross-entropy on a softmax over the last axis is computed from x, for accuracy.
/// build throws ShapeError for an axis out of range and for the batch axis: samples must stay independent.
struct Softmax {
  Index axis = -1;

  void options(auto& visit) { visit("axis", axis); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const { return softmax(x, axis); }
};

}  // namespace cornu
