#include "cornu/models/class_weight.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "cornu/core/error.h"

namespace cornu::detail {

void check_class_weight(const std::map<Index, double>& class_weight, Index outputs) {
  const Index least = outputs == 1 ? -1 : 0, most = std::max(outputs - 1, Index{1});
  for (const auto& [label, weight] : class_weight) {
    require<ValueError>(least <= label && label <= most,
                        "fit: class_weight is given for class {}; the classes of a model with {} output{} are {} to {}",
                        label, outputs, outputs == 1 ? "" : "s", least, most);
    require<ValueError>(weight >= 0 && std::isfinite(weight),
                        "fit: class_weight of class {} is {}; it must be finite and not negative", label, weight);
  }
  require<ValueError>(!class_weight.contains(-1) || !class_weight.contains(0),
                      "fit: class_weight is given for the classes -1 and 0; labels are 0 and 1, or -1 and 1 for a "
                      "hinge loss");
}

namespace {

/// f(outputs) for a sample of zeros.
template <class F>
auto of_outputs(const SequentialState& model, F f) {
  const detail::TapePool::Lease tape(model.inference_tapes);
  tape->clear();
  const Tensor sample(model.shapes.front().batched(1));
  return f(model.forward(tape->input(sample)));
}

}  // namespace

bool leaves_out_steps(const SequentialState& model) {
  return of_outputs(model, [](Var outputs) { return outputs.is_masked(); });
}

bool rows_are_classes(const SequentialState& model) {
  const AnyLoss& loss = model.compiled->loss;
  if (loss.logits() == Logits::softmax || loss.rows_are_classes()) return true;
  const char* const function = of_outputs(model, [](Var outputs) { return outputs.squashed_by(); });
  return function != nullptr && std::string_view(function) == "softmax";
}

}  // namespace cornu::detail
