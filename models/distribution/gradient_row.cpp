#include "cornu/models/distribution/gradient_row.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu::detail {

GradientRow::GradientRow(std::span<Parameter* const> parameters)
    : parameters_(parameters.begin(), parameters.end()), size_(parameters.size()) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    starts_.push_back(size_);
    sizes_.push_back(parameters_[i]->value.size());
    const bool repeats = std::find(parameters_.begin(), parameters_.begin() + static_cast<Index>(i), parameters_[i]) !=
                         parameters_.begin() + static_cast<Index>(i);
    if (!repeats) size_ += static_cast<std::size_t>(parameters_[i]->value.size());
  }
  starts_.push_back(size_);
}

bool GradientRow::fits(std::span<Parameter* const> parameters) const {
  return std::equal(parameters.begin(), parameters.end(), parameters_.begin(), parameters_.end()) &&
         std::equal(sizes_.begin(), sizes_.end(), parameters.begin(),
                    [](Index size, const Parameter* parameter) { return size == parameter->value.size(); });
}

std::size_t GradientRow::find(const Parameter* parameter) const {
  const auto from = parameters_.begin() + static_cast<Index>(next_);
  auto found = std::find(from, parameters_.end(), parameter);
  if (found == parameters_.end()) found = std::find(parameters_.begin(), from, parameter);
  require<StateError>(found != parameters_.end() && *found == parameter,
                      "a gradient of a parameter that is not the optimizer's");
  const auto i = static_cast<std::size_t>(found - parameters_.begin());
  next_ = (i + 1) % parameters_.size();
  return i;
}

void GradientRow::write(const Gradients& pass, double share, std::span<Real> row) const {
  std::fill(row.begin(), row.end(), Real{0});
  for (const Gradients::Entry& entry : pass.entries()) add(entry, row);
  write_updates(pass, share, row);
}

void GradientRow::write_updates(const Gradients& pass, double share, std::span<Real> row) const {
  for (const Gradients::Update& update : pass.updates()) {
    const std::size_t i = find(update.parameter);
    require<StateError>(!update.parameter->learns(),
                        "a distributed step cannot both train a parameter and set it with Tape::record_update; set "
                        "Parameter::trainable to false");
    row[i] = static_cast<Real>(share);
    Real* const to = row.data() + starts_[i];
    for (Index j = 0; j < update.value.size(); ++j) to[j] = static_cast<Real>(share) * update.value[j];
  }
}

std::size_t GradientRow::add(const Gradients::Entry& entry, std::span<Real> row) const {
  const std::size_t i = find(entry.parameter);
  row[i] = 1;
  Real* const to = row.data() + starts_[i];
  const Real* const from = entry.gradient.data();
  for (Index j = 0; j < entry.gradient.size(); ++j) to[j] += from[j];
  return i;
}

Gradients GradientRow::read(std::span<Real> row) {
  entries_.clear();
  updates_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (row[i] == 0) continue;
    const View values(row.data() + starts_[i], parameters_[i]->shape());
    if (parameters_[i]->learns()) {
      entries_.push_back({parameters_[i], values});
    } else {
      for (Real& value : values) value /= row[i];
      updates_.push_back({parameters_[i], values});
    }
  }
  return Gradients(entries_, updates_);
}

}  // namespace cornu::detail
