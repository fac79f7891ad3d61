#pragma once

#include <span>

#include "cornu/core/matrix_view.h"
#include "cornu/core/parameter.h"
#include "cornu/core/var.h"

namespace cornu {

/// A contribution a b to a parameter's gradient that was put off: see Tape::backward.
struct DeferredProduct {
  MatrixView a, b;
  DeferredProduct* next = nullptr;
};

/// What backward returns: the gradient of every parameter and variable that the loss depends on, in the tape's memory.
/// Valid until the tape is cleared; going backward again overwrites the numbers.
class Gradients {
 public:
  struct Entry {
    const Parameter* parameter = nullptr;
    View gradient;
    /// What is still to be added to the gradient, or to be all of it where nothing `is_summed` yet. Null unless
    /// backward was told to put products off.
    const DeferredProduct* products = nullptr;
    bool is_summed = true;
  };
  /// A value that a parameter takes when the optimizer steps: see Tape::record_update.
  struct Update {
    const Parameter* parameter = nullptr;
    ConstView value;
  };

  Gradients() = default;
  /// Of gradients that are kept elsewhere, for as long as the entries are there.
  explicit Gradients(std::span<const Entry> entries, std::span<const Update> updates = {})
      : entries_(entries), updates_(updates) {}

  /// The parameters that learn and that the loss depends on, in the order in which the pass first read them.
  std::span<const Entry> entries() const { return entries_; }
  std::span<const Update> updates() const { return updates_; }

  /// The gradient of a parameter. Throws ValueError if the loss does not depend on it or it is not trainable, or
  /// frozen.
  View operator[](const Parameter& parameter) const;
  /// The gradient of a variable, or of any value on the way to the loss. Throws ValueError if there is none.
  View operator[](Var value) const;

 private:
  std::span<const Entry> entries_;
  std::span<const Update> updates_;
};

}  // namespace cornu
