#include "cornu/bench/workload.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/datasets/digits/digits.h"

namespace cornu::bench {

namespace {

const Network mlp{.dense = {784, 128, 10}};
const Network lenet{.dense = {400, 120, 84, 10}, .images = Network::Images::lenet};
const Network convnet{.dense = {9216, 128, 10}, .images = Network::Images::convnet};

const std::vector<Workload> workloads = {
    {"W1", mlp, 32, 5, 0.1},
    {"W2", mlp, 128, 6, 0.1},
    {"W3", {.dense = {784, 1024, 1024, 10}}, 256, 3, 0.1},
    {"W4", {.dense = {784, 10}}, 60'000, 30, 0.5},
    {"W5a", lenet, 64, 3, 0.05},
    {"W5b", convnet, 128, 3, 0.05, 6'400},
    {"W6a", mlp, 1, 1, 0, 0},
    {"W6b", lenet, 1, 1, 0, 0},
};

const Workload& workload_named(const std::string& name) {
  const auto found = std::ranges::find(workloads, name, &Workload::name);
  if (found == workloads.end()) throw CLI::ValidationError("there is no workload " + name);
  return *found;
}

std::string or_null(bool known, double value) { return known ? fmt::format("{:.7g}", value) : "null"; }

void print(const std::string& program, const Options& options, const Result& result) {
  const bool trains = !result.epoch_seconds.empty(), predicts = !result.thousand_seconds.empty();
  // The first epoch warms caches, the allocator and OpenBLAS; it counts only if there is no other.
  std::vector<double> warm = result.epoch_seconds;
  if (warm.size() > 1) warm.erase(warm.begin());
  std::vector<double> single = result.single_seconds;
  std::sort(single.begin(), single.end());
  const double p99 = predicts ? single[single.size() * 99 / 100] : 0;
  const double epoch = trains ? median(warm) : 0;
  const double per_second = trains     ? static_cast<double>(result.samples) / epoch
                            : predicts ? prediction_images / median(result.thousand_seconds)
                                       : 0;
  fmt::print(R"({{"program": "{}", "workload": "{}", "data": "{}", "threads": {}, "batch": {}, "epochs": {}, )"
             R"("learning_rate": {}, "seed": {}, "seconds_per_epoch": {}, "samples_per_second": {}, )"
             R"("test_accuracy": {}, "median_us": {}, "p99_us": {}, "peak_rss_mb": {:.1f}}})"
             "\n",
             program, options.workload.name, result.data, options.threads, options.workload.batch,
             options.workload.epochs, options.workload.learning_rate, options.seed, or_null(trains, epoch),
             or_null(trains || predicts, per_second), or_null(result.test_accuracy >= 0, result.test_accuracy),
             or_null(predicts, predicts ? median(single) * 1e6 : 0), or_null(predicts, p99 * 1e6),
             memory("VmHWM:") / 1e6);
}

ImageDataset first_of(const ImageDataset& data, Index count) {
  const auto pixels = data.pixels().first(static_cast<std::size_t>(count * data.feature_shape().size()));
  const auto labels = data.labels().first(static_cast<std::size_t>(count));
  return {{pixels.begin(), pixels.end()}, {labels.begin(), labels.end()}};
}

}  // namespace

double now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double memory(std::string_view key) {
  // getrusage would report the peak of the parent process if that is higher.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stod(line.substr(key.size())) * 1024;
  }
  return 0;
}

Data load(const Options& options) {
  // There are a sixth as many test images, and predictions are made for test images.
  const Index samples = options.workload.samples > 0 ? options.workload.samples : 6 * prediction_images;
  if (!options.digits) {
    try {
      auto [train, test] = datasets::mnist({.directory = options.data, .download = false});
      if (samples < train.size()) train = first_of(train, samples);
      return {std::move(train), std::move(test), "MNIST"};
    } catch (const FileError&) {
      fmt::print(stderr, "MNIST was not found; using synthetic digits instead\n");
    }
  }
  auto [train, test] = datasets::digits({.samples = samples});
  return {std::move(train), std::move(test), "synthetic digits"};
}

std::pair<Tensor, Tensor> tensors(const ImageDataset& data, Index count) {
  Tensor x({count, 28, 28}), y(Shape{count});
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), Index{0});
  data.gather(rows, x, y);
  x.reshape({count, 28 * 28});
  return {std::move(x), std::move(y)};
}

void measure_predictions(Result& result, const std::function<void(Index, Index)>& predict) {
  for (int round = 0; round < 20; ++round) {
    for (Index row = 0; row < prediction_images; ++row) {
      const double begin = now();
      predict(row, 1);
      const double end = now();
      if (round > 0) result.single_seconds.push_back(end - begin);
    }
  }
  for (int round = 0; round < 50; ++round) {
    const double begin = now();
    predict(0, prediction_images);
    const double end = now();
    if (round > 4) result.thousand_seconds.push_back(end - begin);
  }
}

int run(const std::string& program, int argc, char** argv, const std::function<Result(const Options&)>& measure) try {
  CLI::App app(program + ": one of the programs compared by ./dev bench");
  Options options;
  std::string name = "W1";
  Index epochs = 0, batch = 0, samples = 0;
  app.add_option("--workload", name, "W1, W2, W3, W4, W5a, W5b, W6a or W6b (see docs/performance.md)")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "number of threads; 0: Cornu chooses")->capture_default_str();
  app.add_option("--epochs", epochs, "number of epochs (default: the workload's)");
  app.add_option("--batch", batch, "batch size (default: the workload's)");
  app.add_option("--data", options.data, "folder of MNIST's files (default: as datasets::mnist)");
  app.add_flag("--digits", options.digits, "use synthetic digits even if MNIST is found");
  app.add_option("--samples", samples, "samples per epoch (default: the workload's)");
  app.add_option("--seed", options.seed, "random seed of weights and shuffling")->capture_default_str();
  try {
    app.parse(argc, argv);
    options.workload = workload_named(name);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  for (const auto& [option, value] :
       {std::pair("epochs", epochs), std::pair("batch", batch), std::pair("samples", samples)}) {
    require<ValueError>(value >= 0, "{} is {}; it must be at least 1, or 0 for the workload's default", option, value);
  }
  if (epochs > 0) options.workload.epochs = epochs;
  if (batch > 0) options.workload.batch = batch;
  if (samples > 0 && options.workload.samples > 0) options.workload.samples = samples;
  options.workload.batch = std::min(options.workload.batch, std::max<Index>(options.workload.samples, 1));
  print(program, options, measure(options));
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: {}\n", program, error.what());
  return 1;
}

}  // namespace cornu::bench
