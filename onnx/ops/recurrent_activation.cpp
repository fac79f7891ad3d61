#include "cornu/onnx/ops/recurrent_activation.h"

#include <algorithm>
#include <span>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"

namespace cornu::onnx::detail {

namespace {

/// An activation, its default numbers, and which of them it has.
struct Known {
  std::string_view name;
  double alpha = 0, beta = 0;
  bool has_alpha = false, has_beta = false;
};

constexpr std::array<Known, 11> known{{{"Affine", 1, 0, true, true},
                                       {"Elu", 1, 0, true, false},
                                       {"HardSigmoid", 0.2, 0.5, true, true},
                                       {"LeakyRelu", 0.01, 0, true, false},
                                       {"Relu"},
                                       {"ScaledTanh", 1, 1, true, true},
                                       {"Sigmoid"},
                                       {"Softplus"},
                                       {"Softsign"},
                                       {"Tanh"},
                                       {"ThresholdedRelu", 1, 0, true, false}}};

const Known& known_called(std::string_view name, Index i) {
  const auto* const found =
      std::find_if(known.begin(), known.end(), [&](const Known& each) { return each.name == name; });
  require<FormatError>(found != known.end(),
                       "activation {} is {}; Affine, Elu, HardSigmoid, LeakyRelu, Relu, ScaledTanh, Sigmoid, Softplus, "
                       "Softsign, Tanh and ThresholdedRelu are known",
                       i, name);
  return *found;
}

/// The next number of a list, for the activations that have one; `otherwise` at its end.
class Numbers {
 public:
  Numbers(const Call& call, const char* attribute)
      : numbers_(call.has(attribute) ? std::span(call.attribute(attribute, AttributeType::reals).reals)
                                     : std::span<const double>()) {}
  double next(bool has_one, double otherwise) { return has_one && at_ < numbers_.size() ? numbers_[at_++] : otherwise; }

 private:
  std::span<const double> numbers_;
  std::size_t at_ = 0;
};

}  // namespace

Var RnnActivation::operator()(Var x) const {
  if (clip > 0) x = cornu::clip(x, -clip, clip);
  if (name == "Tanh") return tanh(x);
  if (name == "Sigmoid") return sigmoid(x);
  if (name == "Relu") return relu(x);
  if (name == "Affine") return alpha * x + beta;
  if (name == "Elu") return elu(x, alpha);
  if (name == "HardSigmoid") return cornu::clip(alpha * x + beta, 0, 1);
  if (name == "LeakyRelu") return leaky_relu(x, alpha);
  if (name == "ScaledTanh") return alpha * tanh(beta * x);
  if (name == "Softplus") return softplus(x);
  if (name == "Softsign") return softsign(x);
  return cornu::where(ops::greater_equal(x, alpha), x, 0);  // ThresholdedRelu
}

RnnActivations activations_of(const Call& call, Index d, Index directions,
                              const std::array<std::string_view, 3>& defaults) {
  const Index each =
      std::count_if(defaults.begin(), defaults.end(), [](std::string_view name) { return !name.empty(); });
  RnnActivations result;
  const double clip = call.real("clip", 0);
  require<FormatError>(clip >= 0, "clip is {}", clip);
  const std::vector<std::string>* const names =
      call.has("activations") ? &call.attribute("activations", AttributeType::texts).texts : nullptr;
  require<FormatError>(names == nullptr || std::ssize(*names) == each * directions,
                       "{} activations; {} for each direction are required", names == nullptr ? 0 : names->size(),
                       each);
  Numbers alphas(call, "activation_alpha"), betas(call, "activation_beta");
  for (Index i = 0; i < each * directions; ++i) {
    const auto slot = static_cast<std::size_t>(i % each);
    const Known& one =
        known_called(names == nullptr ? defaults[slot] : std::string_view((*names)[static_cast<std::size_t>(i)]), i);
    const double alpha = alphas.next(one.has_alpha, one.alpha), beta = betas.next(one.has_beta, one.beta);
    if (i / each == d) result[slot] = {one.name, alpha, beta, clip};
  }
  return result;
}

bool are_usual(const RnnActivations& activations, const std::array<std::string_view, 3>& defaults) {
  for (std::size_t i = 0; i < defaults.size(); ++i) {
    if (activations[i].name != defaults[i] || activations[i].clip > 0) return false;
  }
  return true;
}

}  // namespace cornu::onnx::detail
