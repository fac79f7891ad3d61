#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/constraint.h"
#include "cornu/core/regularizer.h"
#include "cornu/core/tensor.h"

namespace cornu {

namespace detail {

/// Tells whoever keeps an object's address when the object is gone. Bound to the address: a copy, and what the object
/// is moved to, has a lifetime of its own.
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
  std::shared_ptr<const void> token_;  // made when somebody asks for it
};

}  // namespace detail

/// What a layer learns or keeps: a tensor, and whether an optimizer may change it. State that is not trained (a moving
/// mean) is a Parameter too, so that it is saved, counted and copied by the same code.
struct Parameter {
  Tensor value{};
  bool trainable = true;        ///< false for state, which its layer keeps itself
  bool frozen = false;          ///< kept as it is for a while, trainable or not: layers/freeze.h
  Regularizer regularizer{};    ///< added to the loss by whoever trains a model; a layer sets it in build
  Constraint constraint{};      ///< kept by optimizers, after each step
  detail::Lifetime lifetime{};  ///< for optimizers, which keep the address

  const Shape& shape() const { return value.shape(); }
  /// Whether it has a gradient, and optimizers change it.
  bool learns() const { return trainable && !frozen; }
  /// What a layer's build gives it: its first value, and the options that concern it.
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

/// Parameters in a fixed order, each under its owner's name for it: {{"kernel", &kernel}, {"bias", &bias}}.
using NamedParameters = std::vector<NamedParameter>;

}  // namespace cornu
