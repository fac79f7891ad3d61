// Softmax regression on MNIST, 784 inputs and 10 classes, by full-batch gradient descent: once written directly with a
// tape, and once as an estimator in the style of scikit-learn.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>

using namespace cornu;

/// All samples of a dataset in two tensors: x (samples, 784), y (samples).
struct Samples {
  Tensor x, y;

  explicit Samples(const ImageDataset& data) : x({data.size(), 28, 28}), y(Shape{data.size()}) {
    std::vector<Index> rows(static_cast<std::size_t>(data.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
    data.gather(rows, x, y);
    x.reshape({data.size(), 28 * 28});
  }
};

/// The fraction of samples with the right class.
double accuracy(const Tensor& classes, const Tensor& y) {
  Index right = 0;
  for (Index i = 0; i < y.size(); ++i) right += classes[i] == y[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(y.size());
}

/// The training loop, written out with a tape.
void descend(const Samples& train, const Samples& test, double learning_rate, int iterations) {
  const Tensor targets = one_hot(train.y, 10);
  Parameter w{Tensor({784, 10})}, b{Tensor(Shape{10})};
  Optimizer optimizer(SGD{.learning_rate = learning_rate}, {{"w", &w}, {"b", &b}});
  Tape tape;
  for (int i = 0; i <= iterations; ++i) {
    tape.clear();
    const Var logits = affine(tape.input(train.x), w, b);
    const Var cost = categorical_crossentropy(logits, targets, {.from_logits = true});
    if (i % 100 == 0 || i == iterations) std::cout << fmt::format("iteration {:5}  cost {:.4f}\n", i, cost.item());
    if (i < iterations) optimizer.step(tape.backward(cost));
  }
  std::cout << fmt::format("train accuracy: {:.4f}\n", accuracy(argmax(affine(train.x, w.value, b.value)), train.y));
  std::cout << fmt::format("test accuracy: {:.4f}\n", accuracy(argmax(affine(test.x, w.value, b.value)), test.y));
}

/// The same as an estimator. As in scikit-learn's LogisticRegression, C is the inverse of the regularization strength:
/// it minimizes C * (sum of the samples' cross-entropies) + |w|^2 / 2, with unpenalized intercepts.
struct SoftmaxRegression {
  double C = 1.0;
  double learning_rate = 0.5;
  int iterations = 1000;
  Parameter coef{}, intercept{};

  void fit(const Tensor& x, const Tensor& y) {
    require<ValueError>(C > 0, "SoftmaxRegression: C is {}; it must be positive", C);
    const Index classes = static_cast<Index>(max(y).item()) + 1;
    coef.value = Tensor({x.shape()[1], classes});
    intercept.value = Tensor(Shape{classes});
    Optimizer optimizer(SGD{.learning_rate = learning_rate}, {{"coef", &coef}, {"intercept", &intercept}});
    const double strength = 1 / (C * static_cast<double>(x.shape()[0]));  // the cross-entropy is a mean, not a sum
    Tape tape;
    for (int i = 0; i < iterations; ++i) {
      tape.clear();
      const Var logits = affine(tape.input(x), coef, intercept);
      const Var penalty = sum(square(tape.parameter(coef))) * (strength / 2);
      optimizer.step(tape.backward(sparse_categorical_crossentropy(logits, y, {.from_logits = true}) + penalty));
    }
  }
  Tensor predict_proba(const Tensor& x) const { return softmax(affine(x, coef.value, intercept.value)); }
  Tensor predict(const Tensor& x) const { return argmax(predict_proba(x)); }
  double score(const Tensor& x, const Tensor& y) const { return accuracy(predict(x), y); }
};

int main(int argc, char** argv) try {
  CLI::App app("Softmax regression on MNIST by full-batch gradient descent");
  std::string data;
  double learning_rate = 0.5, c = std::numeric_limits<double>::infinity();
  int iterations = 1000;
  bool digits = false, estimator = false;
  app.add_option("--data", data, "folder with MNIST's four files");
  app.add_flag("--digits", digits, "use the built-in synthetic digits instead of MNIST");
  app.add_option("--learning-rate", learning_rate, "learning rate")->capture_default_str();
  app.add_option("--iterations", iterations, "gradient descent steps")
      ->capture_default_str()
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  CLI::Option* with_estimator = app.add_flag("--estimator", estimator, "use the estimator instead of the loop");
  app.add_option("--C", c, "inverse regularization strength of the estimator")
      ->capture_default_str()
      ->needs(with_estimator);
  CLI11_PARSE(app, argc, argv);

  const auto load = [&]() -> std::pair<Samples, Samples> {
    if (!digits) {
      try {
        const auto [train, test] = datasets::mnist({.directory = data});
        return {Samples(train), Samples(test)};
      } catch (const FormatError&) {
        throw;  // MNIST is there but broken: report it
      } catch (const FileError& error) {
        std::cerr << fmt::format("{}\nMNIST is not available: using synthetic digits instead.\n", error.what());
      }
    }
    const auto [train, test] = datasets::digits({.samples = 12000});
    return {Samples(train), Samples(test)};
  };
  const auto [train, test] = load();

  if (estimator) {
    SoftmaxRegression model{.C = c, .learning_rate = learning_rate, .iterations = iterations};
    model.fit(train.x, train.y);
    std::cout << fmt::format("train accuracy: {:.4f}\n", model.score(train.x, train.y));
    std::cout << fmt::format("test accuracy: {:.4f}\n", model.score(test.x, test.y));
  } else {
    descend(train, test, learning_rate, iterations);
  }
} catch (const std::exception& error) {
  std::cerr << fmt::format("error: {}\n", error.what());
  return 1;
}
