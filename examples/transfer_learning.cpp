// Transfer learning: a network is trained on the digits 0 to 4; its layers are frozen and reused to learn 5 to 9 from
// few samples.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <iostream>
#include <utility>
#include <vector>

using namespace cornu;

/// At most `most` samples of the digits `first` to `first` + 4, with labels 0 to 4.
TensorDataset five_digits(const ImageDataset& all, Index first, Index most) {
  std::vector<Index> rows;
  for (Index i = 0; i < all.size() && std::ssize(rows) < most; ++i) {
    if (all.label(i) >= first && all.label(i) < first + 5) rows.push_back(i);
  }
  const DatasetSubset subset(all, rows);
  const TensorDataset chosen = gathered(subset);
  Tensor labels = chosen.y();
  for (Real& label : labels) label -= static_cast<Real>(first);
  return {chosen.x(), std::move(labels)};
}

void compile(Sequential& model, double learning_rate) {
  model.compile({.optimizer = Adam{.learning_rate = learning_rate},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
}

double accuracy(const Sequential& model, const TensorDataset& test) { return model.evaluate(test)["accuracy"]; }

int main() {
  const auto [train, test] = datasets::digits({.samples = 6000});
  const TensorDataset first_train = five_digits(train, 0, train.size()), few = five_digits(train, 5, 60),
                      second_test = five_digits(test, 5, test.size());

  // The first task, with many samples.
  Sequential first{Input{28, 28}, Flatten{}, Dense{64, relu}, Dense{32, relu}, Dense{5, softmax}};
  compile(first, 1e-3);
  first.fit(first_train, {.epochs = 5, .verbose = Verbose::silent});

  // The second task from scratch, with few samples.
  Sequential scratch{Input{28, 28}, Flatten{}, Dense{64, relu}, Dense{32, relu}, Dense{5, softmax}};
  compile(scratch, 1e-3);
  scratch.fit(few, {.batch_size = 10, .epochs = 20, .verbose = Verbose::silent});

  // The second task with the layers of the first, which keep their weights and are frozen.
  Sequential trunk = first;
  trunk.pop();
  freeze(trunk);
  Sequential transfer{Input{28, 28}, {"trunk", trunk}, {"head", Dense{5, softmax}}};
  compile(transfer, 1e-2);
  transfer.fit(few, {.batch_size = 10, .epochs = 20, .verbose = Verbose::silent});
  const double frozen = accuracy(transfer, second_test);

  // Fine-tuning: train all layers at a low learning rate.
  unfreeze(transfer);
  compile(transfer, 1e-3);
  transfer.fit(few, {.batch_size = 10, .epochs = 10, .verbose = Verbose::silent});

  std::cout << fmt::format(
      "digits 5 to 9 from {} samples\nfrom scratch: {:.3f}\nreused layers, frozen: {:.3f}\nfine-tuned: {:.3f}\n",
      few.size(), accuracy(scratch, second_test), frozen, accuracy(transfer, second_test));
  return accuracy(transfer, second_test) > 0.6 ? 0 : 1;
}
