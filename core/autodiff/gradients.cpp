#include "cornu/core/autodiff/gradients.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu {

View Gradients::operator[](const Parameter& parameter) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.parameter == &parameter; });
  require<StateError>(found == entries_.end() || found->products == nullptr,
                      "Gradients: this gradient has deferred products and has not been summed");
  require<ValueError>(found != entries_.end(),
                      "Gradients: no gradient of this parameter of shape {}: the loss does not depend on it, or it is "
                      "frozen or not trainable",
                      parameter.shape());
  return found->gradient;
}

View Gradients::operator[](Var value) const {
  require<ValueError>(value.has_gradient(),
                      "Gradients: no gradient of this value of shape {}: the loss does not depend on it, or it depends "
                      "on no trainable parameter or variable",
                      value.shape());
  return value.grad();
}

}  // namespace cornu
