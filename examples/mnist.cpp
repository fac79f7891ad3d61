// Trains and evaluates the MNIST classifier: 784 inputs, one hidden layer of 128 ReLU units, 10 classes.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>

using namespace cornu;

struct Options {
  std::string data, csv, save;
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

/// MNIST, or the built-in synthetic digits if they are requested or MNIST is not available.
Data load(const Options& options) {
  if (!options.digits) {
    try {
      auto [train, test] = datasets::mnist({.directory = options.data, .quiet = options.quiet});
      return {std::move(train), std::move(test), true};
    } catch (const FormatError&) {
      throw;  // MNIST is there but broken: report it
    } catch (const FileError& error) {
      std::cerr << fmt::format(
          "{}\nMNIST was neither found nor downloaded. Using the built-in synthetic digits instead.\n\n", error.what());
    }
  }
  auto [train, test] = datasets::digits({.seed = options.seed});
  return {std::move(train), std::move(test), false};
}

void print_trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  std::cout << fmt::format("{}\n", line);
}

/// Draws misread images side by side, with their labels and predictions; a character shows two pixels, one above the
/// other. Without the two outermost pixels, which are blank, three images fit into a terminal of 80 columns.
void draw_misread(const ImageDataset& data, const Tensor& predictions, int most) {
  std::vector<Index> misread;
  for (Index row = 0; row < data.size() && std::ssize(misread) < most; ++row) {
    if (predictions[row] != static_cast<Real>(data.label(row))) misread.push_back(row);
  }
  if (misread.empty()) return;
  std::string line;
  for (const Index row : misread) {
    line += fmt::format("{:<26}", fmt::format("{} read as {}", data.label(row), static_cast<int>(predictions[row])));
  }
  print_trimmed(line);
  for (std::size_t y = 2; y < 26; y += 2) {
    line.clear();
    for (const Index row : misread) {
      const auto image = data.image(row);
      for (std::size_t x = 2; x < 26; ++x) {
        const bool above = image[y * 28 + x] > 127, below = image[(y + 1) * 28 + x] > 127;
        line += above ? (below ? "█" : "▀") : (below ? "▄" : " ");
      }
      line += "  ";
    }
    print_trimmed(line);
  }
  std::cout << "\n";
}

void run(const Options& options) {
  const auto [train, test, is_mnist] = load(options);
  if (!options.quiet) {
    std::cout << fmt::format("{} training and {} test images of {}\n\n", train.size(), test.size(),
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

  if (!options.save.empty()) model.save(options.save);

  const double accuracy = model.evaluate(test)["accuracy"];
  if (!options.quiet) {
    const Tensor predictions = model.predict_classes(test);
    Tensor labels(Shape{test.size()});
    for (Index row = 0; row < test.size(); ++row) labels[row] = static_cast<Real>(test.label(row));
    const ConfusionMatrix matrix = confusion_matrix(labels, predictions, 10);
    std::cout << fmt::format("\n{}\n{}\n", classification_report(matrix), to_string(matrix));
    draw_misread(test, predictions, 3);
  }
  std::cout << fmt::format("test accuracy: {:.4f}{}\n", accuracy,
                           is_mnist ? "" : " (on synthetic digits; this is not MNIST)");
}

int main(int argc, char** argv) try {
  CLI::App app("Train and evaluate the MNIST classifier");
  Options options;
  // The help texts of CLI11's PositiveNumber and NonNegativeNumber contain the largest double, all 309 digits of it.
  constexpr int most = std::numeric_limits<int>::max();
  app.add_option("--data", options.data, "folder with MNIST's four files, searched first");
  app.add_flag("--digits", options.digits, "use the built-in synthetic digits instead of MNIST");
  app.add_option("--epochs", options.epochs, "passes over the training images")
      ->capture_default_str()
      ->check(CLI::Range(0, most));
  app.add_option("--batch-size", options.batch_size, "images per step")
      ->capture_default_str()
      ->check(CLI::Range(1, most));
  app.add_option("--hidden", options.hidden, "units of the hidden layer")
      ->capture_default_str()
      ->check(CLI::Range(1, most));
  app.add_option("--learning-rate", options.learning_rate, "of SGD")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--momentum", options.momentum, "of SGD")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options.seed, "random seed of weights, shuffling and digits")
      ->capture_default_str()
      ->check(CLI::Range(0, most));
  app.add_option("--validation-split", options.validation_split, "fraction of the training images to validate on")
      ->capture_default_str();
  app.add_option("--csv", options.csv, "write loss and metrics of each epoch to this file");
  app.add_option("--save", options.save, "save the trained model to this .safetensors file");
  app.add_flag("--quiet", options.quiet, "print only the last line");
  CLI11_PARSE(app, argc, argv);
  run(options);
} catch (const std::exception& error) {
  std::cerr << fmt::format("error: {}\n", error.what());
  return 1;
}
