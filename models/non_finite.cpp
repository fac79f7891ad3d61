#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

bool is_finite(const ConstView& x) {
  return std::all_of(x.begin(), x.end(), [](Real value) { return std::isfinite(value); });
}

/// Finds the first layer whose output is not finite; the innermost one if layers are nested.
struct FirstNonFinite final : LayerObserver {
  std::string path;  // empty if there is none
  std::vector<std::string> within;

  void before(const AnyLayer& layer, std::span<const Var>) override { within.push_back(layer.name()); }
  void after(const AnyLayer&, Var output) override {
    if (path.empty() && !is_finite(output.value())) {
      for (const std::string& name : within) path += (path.empty() ? "" : "/") + name;
    }
    within.pop_back();
  }
};

constexpr Real large = 10;          // for an input: initial weights are scaled for inputs of about 1
constexpr Real far_beyond = 10000;  // for a prediction

Real largest(const ConstView& x) {
  Real result = 0;
  for (const Real value : x) result = std::max(result, std::abs(value));
  return result;
}

/// Advice for training that diverges; "" if there are no signs of it.
std::string remedy(const ConstView& x, const Optimizer& optimizer) {
  const bool inputs = largest(x) > large, rate = optimizer.iterations() > 0 && optimizer.learning_rate() > 0;
  if (!inputs && !rate) return "";
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  return message(
      "; if training diverges, {}{}{}",
      rate ? message("lower the learning rate, which is {}", optimizer.learning_rate()) : "",
      inputs && rate ? ", or " : "",
      inputs
          ? message("scale the inputs, which range from {} to {}, to about -1 to 1, as Normalization does", *low, *high)
          : "");
}

}  // namespace

std::string SequentialState::where_not_finite(TrainingPass& pass, ConstView x, const Rng& noise) const {
  if (!is_finite(x)) return "the input itself is not finite";
  pass.tape.clear();
  pass.tape.rng() = noise;
  FirstNonFinite first;
  pass.tape.observe_layers(&first);
  const Var y_pred = forward(pass.tape.input(x));
  if (first.path.empty()) {
    return message("every layer's output is finite; the targets, their weights or the loss itself are not{}",
                   largest(y_pred.value()) > far_beyond ? remedy(x, *optimizer) : "");
  }
  return message("{} is the first layer whose output is not finite{}", first.path, remedy(x, *optimizer));
}

}  // namespace cornu::detail
