// Two layers of one's own: any struct with `Var forward(Var) const` is a layer. Gradients come by themselves, and
// check_layer tells whether they, and everything else a layer must keep to, are right.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <iostream>

using namespace cornu;

/// x tanh(softplus(x)): a layer that learns nothing needs no more than its formula.
struct Mish {
  Var forward(Var x) const { return x * tanh(softplus(x)); }
};

/// x / sqrt(mean(x^2) + epsilon) * gain, over the last axis (Zhang and Sennrich, 2019): a layer that learns also says
/// what its parameters are, and makes them once it is told the shape of its inputs.
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
  std::cout << fmt::format("accuracy on digits it has not seen: {:.4f}\n", model.evaluate(test)["accuracy"]);
}
