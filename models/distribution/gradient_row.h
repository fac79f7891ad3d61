#pragma once

#include <span>
#include <vector>

#include "cornu/core/autodiff/gradients.h"

namespace cornu::detail {

/// The gradients and recorded updates of a step as one row of numbers, which ranks can sum: a weight for each
/// parameter, then the parameters' values. A parameter that learns has a gradient there, any other one an update. The
/// sum of the updates is their mean, weighted by the samples.
class GradientRow {
 public:
  /// The optimizer's parameters; they must outlive this object.
  explicit GradientRow(std::span<Parameter* const> parameters);

  /// True if it was made for these parameters, with their present sizes.
  bool fits(std::span<Parameter* const> parameters) const;
  std::size_t size() const { return size_; }
  /// Sets `row` to a pass. share: of its samples in the batch. Throws StateError for an update of a parameter that
  /// learns.
  void write(const Gradients& pass, double share, std::span<Real> row) const;
  /// Sets the updates alone.
  void write_updates(const Gradients& pass, double share, std::span<Real> row) const;
  /// Adds one gradient. Returns the number of the parameter.
  std::size_t add(const Gradients::Entry& entry, std::span<Real> row) const;
  /// The gradients and the means of the updates, in the memory of the row, which is changed. Valid until the next call.
  Gradients read(std::span<Real> row);
  /// The first position of each parameter, and the end.
  std::span<const std::size_t> starts() const { return starts_; }

 private:
  std::size_t find(const Parameter* parameter) const;

  std::vector<const Parameter*> parameters_;
  std::vector<Index> sizes_;
  std::vector<std::size_t> starts_;
  std::size_t size_ = 0;
  mutable std::size_t next_ = 0;  // where the search for the next parameter begins
  std::vector<Gradients::Entry> entries_;
  std::vector<Gradients::Update> updates_;
};

}  // namespace cornu::detail
