#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/constraint.h"
#include "cornu/core/regularizer.h"
#include "cornu/core/tensor.h"

namespace cornu {

namespace detail {

/// Lets holders of an object's address detect that the object was destroyed. Bound to the address: a copied or moved
/// object has a new lifetime.
class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) noexcept {}
  // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): it assigns nothing
  Lifetime& operator=(const Lifetime&) noexcept { return *this; }
  ~Lifetime() = default;

  /// Expires when the object is destroyed.
  std::weak_ptr<const void> watch() {
    if (token_ == nullptr) token_ = std::make_shared<char>();
    return token_;
  }

 private:
  std::shared_ptr<const void> token_;  // created on demand
};

}  // namespace detail

/// A tensor that belongs to a layer: a trainable weight, or state such as a moving mean. State is a Parameter too, so
/// that the same code saves, counts and copies it.
struct Parameter {
  Tensor value{};
  bool trainable = true;        ///< false for state, which the layer updates itself
  bool frozen = false;          ///< excluded from training and updates: see layers/freeze.h
  Regularizer regularizer{};    ///< set by the layer's build; the training step adds the penalty to the loss
  Constraint constraint{};      ///< applied by the optimizer after each step
  detail::Lifetime lifetime{};  ///< for optimizers, which store the parameter's address

  const Shape& shape() const { return value.shape(); }
  /// True if the parameter has a gradient and optimizers update it.
  bool learns() const { return trainable && !frozen; }
  /// For a layer's build: sets the initial value and the options of this parameter.
  void become(Tensor initial, const Regularizer& own_regularizer, const Constraint& own_constraint) {
    value = std::move(initial);
    regularizer = own_regularizer;
    constraint = own_constraint;
  }
};

struct NamedParameter {
  std::string name;
  Parameter* parameter = nullptr;
};

/// Parameters of a layer by name, in a fixed order: {{"kernel", &kernel}, {"bias", &bias}}.
using NamedParameters = std::vector<NamedParameter>;

namespace detail {

/// A layer or a model.
template <class L>
concept HasParameters = requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
};

}  // namespace detail

}  // namespace cornu
