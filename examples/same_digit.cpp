// Do two images show the same digit? A Siamese network (Bromley et al., 1993): a struct that owns layers and applies
// the same tower to both inputs of a two-input model.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <array>
#include <iostream>

using namespace cornu;

struct Same {
  AnyLayer tower = Sequential{Flatten{}, Dense{128, relu}, Residual{Dense{128, relu}}, Dense{32}};
  AnyLayer head = Dense{1, sigmoid};

  Var forward(Var a, Var b) const { return head(square(tower(a) - tower(b))); }
  NamedLayers layers() { return {{"tower", &tower}, {"head", &head}}; }
};

/// Pairs each digit with another one; every second pair has the same class.
struct Pairs {
  const ImageDataset& digits;

  Index size() const { return digits.size(); }
  Shape feature_shape() const { return {2 * digits.feature_shape().size()}; }  // both inputs in one row
  Shape target_shape() const { return {1}; }

  void gather(std::span<const Index> rows, View x, View y) const {
    const Index width = feature_shape().size();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<Index>(i);
      std::array<Real, 2> classes{};
      digits.gather(std::array{rows[i], partner(rows[i])},
                    View(x.data() + at * width, digits.feature_shape().batched(2)), View(classes.data(), Shape{2}));
      y[at] = classes[0] == classes[1] ? 1 : 0;
    }
  }

  Index partner(Index row) const {
    const bool same = row % 2 == 0;
    Index other = (row + 1) % size();
    while ((digits.label(other) == digits.label(row)) != same) other = (other + 1) % size();
    return other;
  }
};

int main() {
  const auto [train, test] = datasets::digits({.samples = 6000});
  const Pairs pairs{train}, unseen{test};

  Sequential model{Inputs{{28, 28}, {28, 28}}, Same{}};
  model.compile({.optimizer = Adam{.learning_rate = 2e-3}, .loss = BinaryCrossentropy{}, .metrics = {Accuracy{}}});
  model.summary({.expand_nested = true});
  model.fit(pairs, {.epochs = 5});
  std::cout << fmt::format("test accuracy: {:.1f} % of unseen pairs\n", 100 * model.evaluate(unseen)["accuracy"]);
}
