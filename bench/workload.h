#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/mnist.h"

/// Shared by the competing programs: command line options, data, and the line of JSON that each prints.
namespace cornu::bench {

/// The sizes of the dense layers, the input first, with ReLU between them, and the convolutions before them: LeNet:
/// 5x5x6 same, pool, 5x5x16 valid, pool, 120, 84, 10. Convnet: 3x3x32, 3x3x64, pool, 128, 10.
struct Network {
  std::vector<Index> dense;
  enum class Images { none, lenet, convnet } images = Images::none;
};

struct Workload {
  std::string name;
  Network network;
  Index batch;
  Index epochs;
  double learning_rate;
  Index samples = 60'000;  ///< per epoch; 0: no training, only predictions for 1 and for 1000 samples at a time
};

struct Options {
  Workload workload;
  int threads = 1;
  std::string data{};  ///< folder of MNIST's files
  bool digits = false;
  std::uint64_t seed = 1;
};

struct Data {
  ImageDataset train, test;
  std::string name;
};

/// MNIST, or synthetic digits if they are requested or MNIST is not found. A workload with fewer samples takes the
/// first ones.
Data load(const Options& options);

/// The first `count` images of a dataset as (count, 784), and their labels.
std::pair<Tensor, Tensor> tensors(const ImageDataset& data, Index count);

/// Measurements of a program. What does not apply stays empty and is null in the JSON.
struct Result {
  std::string data = "none";
  Index samples = 0;                    ///< per epoch
  std::vector<double> epoch_seconds{};  ///< one per epoch
  double test_accuracy = -1;
  std::vector<double> single_seconds{};    ///< one per prediction for one sample
  std::vector<double> thousand_seconds{};  ///< one per prediction for 1000 samples
};

/// The main function of a competing program: parses the options, calls `measure` and prints the result. On an
/// exception, prints it and returns a failure status.
int run(const std::string& program, int argc, char** argv, const std::function<Result(const Options&)>& measure);

/// Seconds of a monotonic clock.
double now();

/// Measures `predict(first_row, rows)` repeatedly, for each of 1000 images alone and for all of them at once.
inline constexpr Index prediction_images = 1000;
void measure_predictions(Result& result, const std::function<void(Index, Index)>& predict);

/// The median of at least one value; of an even number, the mean of the middle two.
double median(std::vector<double> values);

/// Bytes according to /proc/self/status. "VmRSS:": current resident memory; "VmHWM:": its peak.
double memory(std::string_view key);

}  // namespace cornu::bench
