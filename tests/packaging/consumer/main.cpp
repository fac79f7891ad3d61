#include <cornu/cornu.h>

#include <cstdio>

using namespace cornu;

/// A user-defined layer with a parameter.
struct Scale {
  Parameter factor{};

  Shape build(const Shape& input, Rng&) {
    factor.value = Tensor::full({input[-1]}, 1);
    return input;
  }
  Var forward(Var x) const { return x * factor; }
  NamedParameters parameters() { return {{"factor", &factor}}; }
};

int main() {
  const auto [train, test] = datasets::digits({.samples = 600});
  Sequential model{Input{28, 28}, Flatten{}, Scale{}, Dense{10, softmax}};
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  const double before = model.evaluate(test)["loss"];
  model.fit(train, {.epochs = 2, .verbose = Verbose::silent});
  const double after = model.evaluate(test)["loss"];
  std::printf("loss on unseen digits: %.3f, then %.3f\n", before, after);
  return check_layer(Scale{}, {3}) && after < before ? 0 : 1;
}
