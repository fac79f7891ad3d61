#pragma once

#include <vector>

#include "cornu/core/tape.h"

namespace cornu {

/// Gradients of several passes, added up in memory of its own: for a batch that is larger than what one pass should
/// hold. Once it has seen the gradients of a model it asks the heap for nothing.
class GradientSum {
 public:
  /// Begins anew.
  void clear();
  /// Adds the gradients of a pass, whose products must not have been put off. Throws StateError, having added nothing,
  /// if a parameter has changed its shape since clear.
  void add(const Gradients& gradients);
  /// Valid until the next call of clear or add.
  Gradients gradients();

 private:
  struct Total {
    const Parameter* parameter = nullptr;
    Tensor sum;
    bool is_begun = false;
  };
  Total& total_of(const Parameter* parameter);

  std::vector<Total> totals_;
  std::vector<Gradients::Entry> entries_;
};

}  // namespace cornu
