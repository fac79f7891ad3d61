#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

bool is_finite(const ConstView& x) {
  return std::all_of(x.begin(), x.end(), [](Real value) { return std::isfinite(value); });
}

/// Finds the first layer whose output is not finite, the innermost if it is in others.
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

}  // namespace

std::string SequentialState::where_not_finite(TrainingPass& pass, ConstView x, const Rng& noise) const {
  if (!is_finite(x)) return "the input itself is not finite";
  pass.tape.clear();
  pass.tape.rng() = noise;
  FirstNonFinite first;
  pass.tape.observe_layers(&first);
  forward(pass.tape.input(x));
  if (first.path.empty()) {
    return "every layer's output is finite; the targets, their weights or the loss itself are not";
  }
  return message("{} is the first layer whose output is not finite", first.path);
}

}  // namespace cornu::detail
