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
  /// Adds the gradients of a pass, and keeps its updates, of which the last of a parameter counts. Throws StateError,
  /// having added nothing, if a parameter has changed its shape since clear, or if products were put off.
  void add(const Gradients& gradients);
  /// Valid until the next call of clear or add.
  Gradients gradients();

 private:
  struct Total {
    const Parameter* parameter = nullptr;
    Tensor sum;
    bool is_begun = false;
  };
  static Total& total_of(std::vector<Total>& totals, const Parameter* parameter);

  std::vector<Total> totals_, updated_;
  std::vector<Gradients::Entry> entries_;
  std::vector<Gradients::Update> updates_;
};

}  // namespace cornu
