#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/tape.h"

/// Checks that gradients are what they should be. Use them on ops and layers of your own, best in a program that links
/// cornu::cornu_double: the same code in double precision, where differences of a wrong gradient show at 1e-7.
namespace cornu {

/// What a check found: a line for each thing that was looked at. True if all of it held.
struct CheckReport {
  struct Line {
    bool passed = true;
    std::string text;
  };
  std::vector<Line> lines;

  bool passed() const;
  explicit operator bool() const { return passed(); }
  void add(bool passed, std::string text) { lines.push_back({passed, std::move(text)}); }
};

/// One line a check, "ok" or "FAILED" before it.
std::string to_string(const CheckReport& report);

struct GradientCheckOptions {
  /// Largest |analytic - numeric| / max(1, |analytic|, |numeric|): 1e-7 in double, 1e-2 in float.
  Real tolerance = std::is_same_v<Real, double> ? Real(1e-7) : Real(1e-2);
  /// Step of the difference quotient, relative to max(1, |x|). The error of a central difference is least near the cube
  /// root of the machine's precision.
  Real step = std::is_same_v<Real, double> ? Real(6e-6) : Real(5e-3);
  /// What a random op draws from; it is given anew for every evaluation.
  std::uint64_t seed = 1;
};

/// A differentiable function of several values, all on one tape.
using DifferentiableFunction = std::function<Var(std::span<const Var>)>;

/// Compares the whole Jacobian of f at the given inputs, each output by each input, with central differences. Also
/// checks that gradients add up where an input is used twice, that each comes out the same when it is the only one
/// wanted, and that a step of Optimizer::minimize on the inputs, by SGD and by Adam, is the rule's for these gradients.
/// f must be smooth around the inputs: keep them off kinks such as relu's at 0.
CheckReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                            const GradientCheckOptions& options = {});

struct LayerCheckOptions {
  GradientCheckOptions gradients{};
  Index batch = 3;
  int threads = 4;
  /// The sample to check at, (batch, input shape...); normal random numbers if empty.
  Tensor input{};
  /// Whether the input has a gradient: not where its numbers are indices.
  bool input_gradient = true;
};

namespace detail {

/// A layer as the check needs it, whatever its type.
struct LayerUnderCheck {
  virtual ~LayerUnderCheck() = default;
  virtual std::unique_ptr<LayerUnderCheck> clone() const = 0;
  /// False if the layer has no `build`; otherwise `result` is the output shape that it returned.
  virtual bool build(const Shape& input, Rng& rng, Shape& result) = 0;
  virtual Var forward(Var x) const = 0;
  virtual std::vector<std::pair<std::string, Parameter*>> parameters() = 0;
};

CheckReport check_layer(const LayerUnderCheck& layer, const Shape& input, const LayerCheckOptions& options);

template <class L>
struct LayerUnderCheckOf final : LayerUnderCheck {
  L layer;

  explicit LayerUnderCheckOf(const L& l) : layer(l) {}
  std::unique_ptr<LayerUnderCheck> clone() const override { return std::make_unique<LayerUnderCheckOf>(*this); }
  Var forward(Var x) const override { return layer.forward(x); }

  bool build(const Shape& input, Rng& rng, Shape& result) override {
    if constexpr (requires { layer.build(input, rng); }) {
      result = layer.build(input, rng);
      return true;
    }
    return false;
  }

  std::vector<std::pair<std::string, Parameter*>> parameters() override {
    std::vector<std::pair<std::string, Parameter*>> result;
    if constexpr (requires { layer.parameters(); }) {
      for (const auto& [name, parameter] : layer.parameters()) result.emplace_back(name, parameter);
    }
    return result;
  }
};

}  // namespace detail

/// Builds a copy of the layer for inputs of the given shape (without the batch) and checks, in one call:
/// that `build` told the output's shape; that two runs give the same bits and change no parameter; that `parameters`
/// lists every trainable parameter that `forward` reads; the gradients of the input and of each of these, and a step of
/// an optimizer on all of them, in training mode, as check_gradients does; that each of the others (state, such as a
/// moving mean) is read or updated; that a copy shares no parameter with the original; and that several threads, each
/// predicting samples of its own with one const layer, get what one alone gets. Throws ShapeError for a sample that is
/// not (batch, input shape...); what `build` and `forward` throw passes through.
template <class L>
CheckReport check_layer(const L& layer, const Shape& input, const LayerCheckOptions& options = {}) {
  static_assert(
      requires(Var x) {
        { layer.forward(x) } -> std::convertible_to<Var>;
      },
      "a layer's forward must be public, const and of one input: Var forward(Var x) const");
  return detail::check_layer(detail::LayerUnderCheckOf<L>(layer), input, options);
}

}  // namespace cornu
