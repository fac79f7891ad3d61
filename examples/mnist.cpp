// Trains and evaluates the MNIST classifier: 784 inputs, one hidden layer of 128 ReLU units, 10 classes.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>

using namespace cornu;

struct Options {
  std::string data, csv;
  bool digits = false, quiet = false;
  int epochs = 5;
  Index batch_size = 32, hidden = 128;
  double learning_rate = 0.1, momentum = 0, validation_split = 0;
  std::uint64_t seed = 1;
};

struct Data {
  ImageDataset train, test;
  bool is_mnist;
};

/// MNIST if it can be had, and otherwise, or if asked for, the embedded synthetic digits.
Data load(const Options& options) {
  if (!options.digits) {
    try {
      auto [train, test] = datasets::mnist({.directory = options.data, .quiet = options.quiet});
      return {std::move(train), std::move(test), true};
    } catch (const FormatError&) {
      throw;  // it is there, but broken: that is for the user to know
    } catch (const FileError& error) {
      fmt::print(stderr, "{}\nMNIST was neither found nor downloaded. Using the embedded synthetic digits instead.\n\n",
                 error.what());
    }
  }
  auto [train, test] = datasets::digits({.seed = options.seed});
  return {std::move(train), std::move(test), false};
}

/// Some images side by side, two pixels above each other to a character, with what they are and what they were read as.
void draw_misread(const ImageDataset& data, const Tensor& predictions, int most) {
  std::vector<Index> misread;
  for (Index row = 0; row < data.size() && std::ssize(misread) < most; ++row) {
    if (predictions[row] != static_cast<Real>(data.label(row))) misread.push_back(row);
  }
  if (misread.empty()) return;
  for (const Index row : misread) {
    fmt::print("{:<30}", fmt::format("{} read as {}", data.label(row), static_cast<int>(predictions[row])));
  }
  fmt::print("\n");
  for (std::size_t y = 0; y < 28; y += 2) {
    for (const Index row : misread) {
      const auto image = data.image(row);
      for (std::size_t x = 0; x < 28; ++x) {
        const bool above = image[y * 28 + x] > 127, below = image[(y + 1) * 28 + x] > 127;
        fmt::print("{}", above ? (below ? "█" : "▀") : (below ? "▄" : " "));
      }
      fmt::print("  ");
    }
    fmt::print("\n");
  }
}

void run(const Options& options) {
  const auto [train, test, is_mnist] = load(options);
  if (!options.quiet) {
    fmt::print("{} training and {} test images of {}\n\n", train.size(), test.size(),
               is_mnist ? "MNIST" : "synthetic digits");
  }

  Sequential model({Input{28, 28}, Flatten{}, Dense{options.hidden, relu}, Dense{10}, Softmax{}},
                   {.name = "mnist", .seed = options.seed});
  model.compile({.optimizer = SGD{.learning_rate = options.learning_rate, .momentum = options.momentum},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
  if (!options.quiet) model.summary();

  std::vector<AnyCallback> callbacks;
  if (!options.csv.empty()) callbacks.emplace_back(CSVLogger{.filename = options.csv});
  model.fit(train, {.batch_size = options.batch_size,
                    .epochs = options.epochs,
                    .verbose = options.quiet ? Verbose::silent : Verbose::automatic,
                    .callbacks = callbacks,
                    .validation_split = options.validation_split,
                    .seed = options.seed});

  const double accuracy = model.evaluate(test)["accuracy"];
  if (!options.quiet) {
    const Tensor predictions = model.predict_classes(test);
    Tensor labels(Shape{test.size()});
    for (Index row = 0; row < test.size(); ++row) labels[row] = static_cast<Real>(test.label(row));
    const ConfusionMatrix matrix = confusion_matrix(labels, predictions, 10);
    fmt::print("\n{}\n{}\n", classification_report(matrix), to_string(matrix));
    draw_misread(test, predictions, 4);
  }
  fmt::print("test accuracy: {:.4f}{}\n", accuracy, is_mnist ? "" : " (on synthetic digits; this is not MNIST)");
}

int main(int argc, char** argv) try {
  CLI::App app("Train and evaluate the MNIST classifier");
  Options options;
  app.add_option("--data", options.data, "the folder with MNIST's four files");
  app.add_flag("--digits", options.digits, "use the embedded synthetic digits instead of MNIST");
  app.add_option("--epochs", options.epochs)->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", options.batch_size)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--hidden", options.hidden, "units of the hidden layer")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.learning_rate)->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--momentum", options.momentum)->capture_default_str()->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options.seed, "of the weights, the shuffling and the digits")->capture_default_str();
  app.add_option("--validation-split", options.validation_split, "this fraction of the training images is validated on")
      ->capture_default_str();
  app.add_option("--csv", options.csv, "write each epoch's loss and metrics to this file");
  app.add_flag("--quiet", options.quiet, "print the last line only");
  CLI11_PARSE(app, argc, argv);
  run(options);
} catch (const std::exception& error) {
  fmt::print(stderr, "mnist: {}\n", error.what());
  return 1;
}
