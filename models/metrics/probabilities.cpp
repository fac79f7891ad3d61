#include "cornu/models/metrics/probabilities.h"

#include <algorithm>
#include <cmath>

namespace cornu::detail {

ConstView probabilities(Logits logits, ConstView outputs, Tensor& memory) {
  if (logits == Logits::none) return outputs;
  memory.resize(outputs.shape());
  if (logits != Logits::softmax) {
    std::transform(outputs.begin(), outputs.end(), memory.begin(), [](Real x) { return 1 / (1 + std::exp(-x)); });
    return memory;
  }
  const Index classes = outputs.shape().rank() == 0 ? 1 : outputs.shape()[-1];
  for (Index i = 0; i < outputs.size(); i += classes) {
    const Real *const row = outputs.data() + i, peak = *std::max_element(row, row + classes);
    Real* const p = memory.data() + i;
    Real sum = 0;
    for (Index c = 0; c < classes; ++c) sum += p[c] = std::exp(row[c] - peak);
    for (Index c = 0; c < classes; ++c) p[c] /= sum;
  }
  return memory;
}

}  // namespace cornu::detail
