#pragma once

#include <vector>

#include "cornu/core/autodiff/tape.h"

namespace cornu {

namespace detail {
class Team;
}

/// Accumulates the gradients of several passes, for a batch that is too large for one pass. Also keeps the updates that
/// the last pass recorded. Owns its memory; once warm, it allocates nothing on the heap.
class GradientSum {
 public:
  /// Starts a new sum.
  void clear();
  /// Adds the gradients of a pass. Deferred products are computed here, directly into the sum. Throws StateError, and
  /// adds nothing, if the shape of a parameter has changed since clear.
  void add(const Gradients& gradients) { add({&gradients, 1}); }
  /// Adds the gradients of several passes, in order. A team shares the work; the result does not depend on the team.
  void add(std::span<const Gradients> passes, detail::Team* team = nullptr);
  /// The summed gradients and the kept updates. Valid until the next call of clear or add.
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
  std::vector<Total> values_;  // recorded updates: for each parameter, from the last pass that recorded one
  std::vector<Gradients::Update> updates_;
};

}  // namespace cornu
