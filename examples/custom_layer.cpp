// Two user-defined layers. Any struct with `Var forward(Var) const` is a layer, and its gradient is computed
// automatically. check_layer verifies the gradient and the other requirements of a layer.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <iostream>

using namespace cornu;

/// x tanh(softplus(x)): a layer without parameters needs only its formula.
struct Mish {
  Var forward(Var x) const { return x * tanh(softplus(x)); }
};

/// x / sqrt(mean(x^2) + epsilon) * gain, over the last axis (Zhang and Sennrich, 2019). A layer with parameters also
/// lists them, and allocates them when it is built for an input shape.
struct RMSNormalization {
  double epsilon = 1e-6;
  Parameter gain{};

  Shape build(const Shape& input, Rng&) {
    gain.value = Tensor::full({input[-1]}, 1);
    return input;
  }
  Var forward(Var x) const { return x / sqrt(mean(square(x), -1, {.keepdims = true}) + epsilon) * gain; }
  NamedParameters parameters() { return {{"gain", &gain}}; }
};

int main() {
  for (const auto& [name, report] : {std::pair("Mish", check_layer(Mish{}, {5})),
                                     std::pair("RMSNormalization", check_layer(RMSNormalization{}, {5}))}) {
    std::cout << fmt::format("{}\n{}\n", name, to_string(report));
    if (!report) return 1;
  }

  const auto [train, test] = datasets::digits({.samples = 6000});
  Sequential model{Input{28, 28}, Flatten{}, Dense{64}, RMSNormalization{}, Mish{}, Dense{10, softmax}};
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.summary();
  model.fit(train, {.epochs = 3});
  std::cout << fmt::format("test accuracy: {:.4f}\n", model.evaluate(test)["accuracy"]);
}
