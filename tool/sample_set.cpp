#include "cornu/tool/sample_set.h"

#include <utility>

#include "cornu/core/error.h"

namespace cornu::tool {

SampleSet::SampleSet(std::vector<NamedSamples> inputs) : inputs_(std::move(inputs)) {
  for (const NamedSamples& each : inputs_) {
    require(each.samples.size() == size(), "{} has {} samples, but {} has {}; each input takes one for each sample",
            each.name, each.samples.size(), inputs_.front().name, size());
  }
}

std::vector<Shape> SampleSet::shapes() const {
  std::vector<Shape> result;
  for (const NamedSamples& each : inputs_) result.push_back(each.samples.feature_shape());
  return result;
}

Shape SampleSet::feature_shape() const {
  if (inputs_.size() == 1) return inputs_.front().samples.feature_shape();
  Index width = 0;
  for (const Shape& shape : shapes()) width += shape.size();
  return {width};
}

void SampleSet::gather(std::span<const Index> rows, View x, View) const {
  if (inputs_.size() == 1) return inputs_.front().samples.gather(rows, x, {});
  Real* to = x.data();
  for (const Index& row : rows) {
    for (const NamedSamples& each : inputs_) {
      const Shape shape = each.samples.feature_shape();
      each.samples.gather(std::span(&row, 1), View(to, shape.batched(1)), {});
      to += shape.size();
    }
  }
}

}  // namespace cornu::tool
