#include "cornu/optim/gradient_sum.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"

namespace cornu {

void GradientSum::clear() {
  for (Total& total : totals_) total.is_begun = false;
}

GradientSum::Total& GradientSum::total_of(const Parameter* parameter) {
  const auto known =
      std::find_if(totals_.begin(), totals_.end(), [=](const Total& total) { return total.parameter == parameter; });
  return known != totals_.end() ? *known : totals_.emplace_back(Total{parameter, Tensor()});
}

void GradientSum::add(const Gradients& gradients) {
  for (const Gradients::Entry& entry : gradients.entries()) {
    const Total& total = total_of(entry.parameter);
    require<StateError>(!total.is_begun || total.sum.shape() == entry.gradient.shape(),
                        "GradientSum: a gradient of shape {} after gradients of shape {} of the same parameter",
                        entry.gradient.shape(), total.sum.shape());
  }
  for (const Gradients::Entry& entry : gradients.entries()) {
    Total& total = total_of(entry.parameter);
    if (!total.is_begun) total.sum.resize(entry.gradient.shape());
    copy(entry.gradient, {total.sum, total.is_begun});
    total.is_begun = true;
  }
}

Gradients GradientSum::gradients() {
  entries_.clear();
  for (Total& total : totals_) {
    if (total.is_begun) entries_.push_back({total.parameter, total.sum});
  }
  return Gradients(entries_);
}

}  // namespace cornu
