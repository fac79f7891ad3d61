// Trains the MNIST classifier with several processes: mpirun -n 4 mnist_mpi. Rank 0 prints. Without mpirun it is one
// process.
#include <cornu/cornu.h>
#include <cornu/mpi/world.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

using namespace cornu;

struct Options {
  std::string data;
  bool digits = false, reproducible = false, lamb = false;
  int epochs = 5;
  Index batch_size = 128, warmup = 0;
  double learning_rate = 0.2;
};

struct Data {
  ImageDataset train, test;
};

/// MNIST, or the built-in synthetic digits if they are requested or MNIST is not available.
Data load(const Options& options, bool prints) {
  if (!options.digits) {
    try {
      auto [train, test] = datasets::mnist({.directory = options.data, .quiet = !prints});
      return {std::move(train), std::move(test)};
    } catch (const FormatError&) {
      throw;  // MNIST is there but broken: report it
    } catch (const FileError& error) {
      if (prints) std::cerr << fmt::format("{}\nUsing the built-in synthetic digits instead.\n", error.what());
    }
  }
  auto [train, test] = datasets::digits({});
  return {std::move(train), std::move(test)};
}

/// SGD or, for large batches, LAMB. With a warm-up, the rate then decays to 0 along a cosine.
AnyOptimizer optimizer(const Options& options, Index steps) {
  LearningRate rate = options.learning_rate;
  if (options.warmup > 0) {
    rate = CosineDecay{.initial_learning_rate = 0,
                       .decay_steps = std::max(steps - options.warmup, Index{1}),
                       .warmup_target = options.learning_rate,
                       .warmup_steps = options.warmup};
  }
  if (options.lamb) return Lamb{.learning_rate = rate};
  return SGD{.learning_rate = rate};
}

void run(const Options& options) {
  const Distribution ranks = mpi::world();
  const bool prints = ranks.rank() == 0;
  const auto [train, test] = mpi::once_per_node([&] { return load(options, prints); });

  Sequential model{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10, softmax}};
  const Index batches = (train.size() + options.batch_size - 1) / options.batch_size;
  model.compile({.optimizer = optimizer(options, batches * options.epochs),
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
  model.fit(train, {.batch_size = options.batch_size,
                    .epochs = options.epochs,
                    .distribution = ranks,
                    .reproducible = options.reproducible});
  const double accuracy = model.evaluate(test, {.batch_size = 256, .distribution = ranks})["accuracy"];
  if (prints) std::cout << fmt::format("{} ranks, test accuracy {:.4f}\n", ranks.size(), accuracy);
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains the MNIST classifier with several processes (mpirun)");
  app.add_option("--data", options.data, "folder with the MNIST files");
  app.add_flag("--digits", options.digits, "use the built-in synthetic digits");
  app.add_option("--epochs", options.epochs, "passes over the training data")->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "samples per step, of all ranks")->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate)->capture_default_str();
  app.add_flag("--lamb", options.lamb, "for large batches: LAMB instead of SGD");
  app.add_option("--warmup", options.warmup, "steps in which the learning rate grows from 0; afterwards it decays");
  app.add_flag("--reproducible", options.reproducible, "the same bits for any number of ranks");
  CLI11_PARSE(app, argc, argv);
  run(options);
}
