#pragma once

#include "cornu/core/tensor.h"

namespace cornu {

/// Destination of a kernel's result: overwritten, or accumulated into. A backward rule asks an operand for its sink:
///     if (Sink dx = x.sink()) ...
/// The sink is false if the gradient is not needed. It overwrites for the first contribution and accumulates for later
/// ones, so that gradients need not be zeroed first.
class Sink {
 public:
  Sink() = default;
  Sink(View view, bool accumulates) : view_(view), accumulates_(accumulates), wanted_(true) {}

  explicit operator bool() const { return wanted_; }
  bool accumulates() const { return accumulates_; }

  const View& view() const { return view_; }
  const Shape& shape() const { return view_.shape(); }
  Index size() const { return view_.size(); }
  Real* data() const { return view_.data(); }

 private:
  View view_;
  bool accumulates_ = false;
  bool wanted_ = false;
};

inline Sink overwrite(View view) { return {view, false}; }
inline Sink accumulate_into(View view) { return {view, true}; }

}  // namespace cornu
