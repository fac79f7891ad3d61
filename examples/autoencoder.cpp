// An autoencoder: compresses 784 pixels to a few values and reconstructs the image from them. The input is its own
// target, so that no labels are needed.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>

using namespace cornu;

struct Options {
  std::string data;
  bool digits = false;
  int epochs = 5;
  Index samples = 10'000, code = 16;
  std::uint64_t seed = 1;
};

/// Images as rows of pixels, each its own target.
struct Mirrored {
  const ImageDataset& images;
  Index count;

  Index size() const { return std::min(count, images.size()); }
  Shape feature_shape() const { return {28 * 28}; }
  Shape target_shape() const { return feature_shape(); }
  void gather(std::span<const Index> rows, View x, View y) const {
    Tensor labels(Shape{std::ssize(rows)});  // not used
    images.gather(rows, x, labels);
    std::copy(x.begin(), x.end(), y.begin());
  }
};

/// Draws rows of images side by side; a character shows two pixels, one above the other. Blank margins are cut off.
void draw(const std::vector<std::vector<ConstView>>& rows) {
  for (const std::vector<ConstView>& images : rows) {
    for (Index y = 3; y < 25; y += 2) {
      std::string line;
      for (const ConstView& image : images) {
        for (Index x = 4; x < 24; ++x) {
          const bool above = image[y * 28 + x] > 0.5, below = image[(y + 1) * 28 + x] > 0.5;
          line += above ? (below ? "█" : "▀") : (below ? "▄" : " ");
        }
      }
      line.erase(line.find_last_not_of(' ') + 1);
      std::cout << fmt::format("{}\n", line);
    }
  }
}

void run(const Options& options) {
  ImageDataset train, test;
  if (options.digits) {
    auto [some, others] = datasets::digits({.samples = options.samples, .seed = options.seed});
    train = std::move(some), test = std::move(others);
  } else {
    auto [some, others] = datasets::mnist({.directory = options.data});
    train = std::move(some), test = std::move(others);
  }
  const Mirrored training{train, options.samples}, others{test, options.samples};

  Sequential model(
      {Input{28 * 28}, Dense{128, relu}, {"code", Dense{options.code}}, Dense{128, relu}, Dense{28 * 28, sigmoid}},
      {.name = "autoencoder", .seed = options.seed});
  model.compile(
      {.optimizer = Adam{.learning_rate = 2e-3}, .loss = BinaryCrossentropy{}, .metrics = {MeanSquaredError{}}});
  model.fit(training, {.epochs = options.epochs, .validation_data = &others, .seed = options.seed});

  // The first images of four classes, and their reconstructions.
  std::vector<Index> shown;
  for (Index row = 0; shown.size() < 4 && row < test.size(); ++row) {
    const auto known = [&](Index other) { return test.label(other) == test.label(row); };
    if (std::none_of(shown.begin(), shown.end(), known)) shown.push_back(row);
  }
  const DatasetSubset some(others, shown);
  const TensorDataset images = gathered(some);
  const Tensor reconstructions = model.predict(images.x());
  const auto views = [&](const Tensor& x) {
    std::vector<ConstView> result;
    for (Index i = 0; i < x.shape()[0]; ++i) result.emplace_back(x.data() + i * 28 * 28, Shape{28, 28});
    return result;
  };
  std::cout << fmt::format("\nOriginals, and reconstructions from {} values:\n", options.code);
  draw({views(images.x()), views(reconstructions)});
  std::cout << fmt::format("test mean squared error: {:.4f}\n", model.evaluate(others)["mean_squared_error"]);
}

int main(int argc, char** argv) try {
  CLI::App app("Compress digits to a few values and reconstruct them");
  Options options;
  constexpr int most = 1'000'000;
  app.add_option("--data", options.data, "folder with MNIST's four files");
  app.add_flag("--digits", options.digits, "use the built-in synthetic digits instead of MNIST");
  app.add_option("--epochs", options.epochs, "passes over the images")
      ->capture_default_str()
      ->check(CLI::Range(0, most));
  app.add_option("--samples", options.samples, "maximum number of training images")
      ->capture_default_str()
      ->check(CLI::Range(10, most));
  app.add_option("--code", options.code, "size of the code")->capture_default_str()->check(CLI::Range(1, most));
  app.add_option("--seed", options.seed, "random seed of weights, shuffling and digits")
      ->capture_default_str()
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  CLI11_PARSE(app, argc, argv);
  run(options);
} catch (const std::exception& error) {
  std::cerr << fmt::format("error: {}\n", error.what());
  return 1;
}
