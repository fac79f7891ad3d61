#pragma once

#include <vector>

#include "cornu/core/tape.h"

namespace cornu {

class Team;

/// Gradients of several passes, added up in memory of its own, and the updates that the last of them recorded: for a
/// batch that is larger than what one pass should hold. Once it has seen the gradients of a model it asks the heap for
/// nothing.
class GradientSum {
 public:
  /// Begins anew.
  void clear();
  /// Adds the gradients of a pass. Products that were put off are made here, straight into the sum. Throws StateError,
  /// having added nothing, if a parameter has changed its shape since clear.
  void add(const Gradients& gradients) { add({&gradients, 1}); }
  /// The same for several passes, in their order. A team shares the work; the result does not depend on it.
  void add(std::span<const Gradients> passes, Team* team = nullptr);
  /// Valid until the next call of clear or add.
  Gradients gradients();

 private:
  struct Total {
    const Parameter* parameter = nullptr;
    Tensor sum;
    bool is_begun = false;
  };
  static Total& find(std::vector<Total>& totals, const Parameter* parameter);
  Total& total_of(const Parameter* parameter) { return find(totals_, parameter); }
  void add_block(const Gradients::Entry& entry, Index block);

  std::vector<Total> totals_;
  std::vector<Gradients::Entry> entries_;
  std::vector<Total> values_;  // that parameters are to take: those of the last pass that recorded one
  std::vector<Gradients::Update> updates_;
};

}  // namespace cornu
