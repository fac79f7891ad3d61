#pragma once

#include <span>

#include "cornu/core/autodiff/var.h"
#include "cornu/core/matrix_view.h"
#include "cornu/core/parameter.h"

namespace cornu {

/// A deferred product a b, to be added to a parameter's gradient. See BackwardOptions::defer_products.
struct DeferredProduct {
  MatrixView a, b;
  DeferredProduct* next = nullptr;
};

/// Result of Tape::backward: the gradients of all parameters and variables that the loss depends on. They are in the
/// tape's memory, valid until the tape is cleared; the next backward pass overwrites them.
class Gradients {
 public:
  struct Entry {
    const Parameter* parameter = nullptr;
    View gradient;
    /// Deferred products, not yet added to the gradient. Null unless BackwardOptions::defer_products was set.
    const DeferredProduct* products = nullptr;
    /// False if `gradient` is uninitialised: then the products are the whole gradient.
    bool is_summed = true;
  };
  /// A value assigned to a parameter by the optimizer step. See Tape::record_update.
  struct Update {
    const Parameter* parameter = nullptr;
    ConstView value;
  };

  Gradients() = default;
  /// Refers to gradients stored elsewhere; the entries must outlive this object.
  explicit Gradients(std::span<const Entry> entries, std::span<const Update> updates = {})
      : entries_(entries), updates_(updates) {}

  /// The parameters that are trainable, not frozen, and used by the loss, in the order of their first use.
  std::span<const Entry> entries() const { return entries_; }
  std::span<const Update> updates() const { return updates_; }

  /// The gradient of a parameter. Throws ValueError if the loss does not depend on it, or it is not trainable or
  /// frozen. Throws StateError if its products are deferred.
  View operator[](const Parameter& parameter) const;
  /// The gradient of a variable or an intermediate value. Throws ValueError if it has none.
  View operator[](Var value) const;

 private:
  std::span<const Entry> entries_;
  std::span<const Update> updates_;
};

/// Gets gradients while a backward pass goes on. See BackwardOptions::listener.
class GradientListener {
 public:
  GradientListener() = default;
  GradientListener(const GradientListener&) = delete;
  GradientListener& operator=(const GradientListener&) = delete;
  /// A gradient that the rest of the pass does not change.
  virtual void ready(const Gradients::Entry& entry) = 0;

 protected:
  ~GradientListener() = default;
};

}  // namespace cornu
