// The shortest program: a network with 17 parameters learns XOR, which is not linearly separable.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <iostream>

using namespace cornu;

int main() {
  const Tensor x = Tensor::matrix({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor y = Tensor::matrix({{0}, {1}, {1}, {0}});

  Sequential model{Input{2}, Dense{4, tanh}, Dense{1, sigmoid}};
  model.compile({.optimizer = SGD{.learning_rate = 0.5, .momentum = 0.9}, .loss = BinaryCrossentropy{}});
  model.fit(x, y, {.epochs = 500, .verbose = Verbose::silent});

  const Tensor p = model.predict(x);
  for (Index i = 0; i < 4; ++i) std::cout << fmt::format("{} xor {} = {:.3f}\n", x.at({i, 0}), x.at({i, 1}), p[i]);
}
