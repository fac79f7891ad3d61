#include "cornu/optim/gradient_sum.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"

namespace cornu {

void GradientSum::clear() {
  for (std::vector<Total>* totals : {&totals_, &updated_}) {
    for (Total& total : *totals) total.is_begun = false;
  }
}

GradientSum::Total& GradientSum::total_of(std::vector<Total>& totals, const Parameter* parameter) {
  const auto known =
      std::find_if(totals.begin(), totals.end(), [=](const Total& total) { return total.parameter == parameter; });
  return known != totals.end() ? *known : totals.emplace_back(Total{parameter, Tensor()});
}

void GradientSum::add(const Gradients& gradients) {
  for (const Gradients::Entry& entry : gradients.entries()) {
    const Total& total = total_of(totals_, entry.parameter);
    require<StateError>(entry.products == nullptr, "GradientSum: the products of a gradient were put off");
    require<StateError>(!total.is_begun || total.sum.shape() == entry.gradient.shape(),
                        "GradientSum: a gradient of shape {} after gradients of shape {} of the same parameter",
                        entry.gradient.shape(), total.sum.shape());
  }
  for (const Gradients::Entry& entry : gradients.entries()) {
    Total& total = total_of(totals_, entry.parameter);
    if (!total.is_begun) total.sum.resize(entry.gradient.shape());
    copy(entry.gradient, {total.sum, total.is_begun});
    total.is_begun = true;
  }
  for (const Gradients::Update& update : gradients.updates()) {
    Total& total = total_of(updated_, update.parameter);
    total.sum.resize(update.value.shape());
    copy(update.value, overwrite(total.sum));
    total.is_begun = true;
  }
}

Gradients GradientSum::gradients() {
  entries_.clear();
  updates_.clear();
  for (Total& total : totals_) {
    if (total.is_begun) entries_.push_back({total.parameter, total.sum});
  }
  for (const Total& total : updated_) {
    if (total.is_begun) updates_.push_back({total.parameter, total.sum});
  }
  return Gradients(entries_, updates_);
}

}  // namespace cornu
