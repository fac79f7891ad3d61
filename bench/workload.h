#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/mnist.h"

/// What the competing programs share: their options, the data, and the one line of JSON that each prints.
namespace cornu::bench {

/// The shapes of the dense layers of a network without convolutions, the input first; ReLU between them.
/// LeNet: 5x5x6 same, pool, 5x5x16 valid, pool, 120, 84, 10. Convnet: 3x3x32, 3x3x64, pool, 128, 10.
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
  Index samples = 60'000;  ///< of an epoch; 0: it does not train but predicts, for one sample and for 1000 at a time
};

struct Options {
  Workload workload;
  int threads = 1;
  std::string data{};  ///< the folder of MNIST's files
  bool digits = false;
  std::uint64_t seed = 1;
};

struct Data {
  ImageDataset train, test;
  std::string name;
};

/// MNIST where it is found, and synthetic digits where it is not or they are asked for. A workload of fewer samples
/// gets the first of them.
Data load(const Options& options);

/// The first images of a dataset as (count, 784), and their labels.
std::pair<Tensor, Tensor> tensors(const ImageDataset& data, Index count);

/// What a program measured; what does not apply is left empty, and is null in the JSON.
struct Result {
  std::string data = "none";
  Index samples = 0;                    ///< of an epoch
  std::vector<double> epoch_seconds{};  ///< of each epoch
  double test_accuracy = -1;
  std::vector<double> single_seconds{};    ///< of each prediction for one sample
  std::vector<double> thousand_seconds{};  ///< of each prediction for 1000
};

/// The main function of a competing program: reads the options, calls `measure`, prints the line. An exception is
/// printed, too, and makes the program fail.
int run(const std::string& program, int argc, char** argv, const std::function<Result(const Options&)>& measure);

/// Seconds on a clock that only goes forward.
double now();

/// How long `predict(first_row, rows)` takes for each of so many images alone, again and again, and for all together.
inline constexpr Index prediction_images = 1000;
void measure_predictions(Result& result, const std::function<void(Index, Index)>& predict);

/// Of at least one value; of an even number of them the mean of the two in the middle.
double median(std::vector<double> values);

/// In bytes, by /proc/self/status: "VmRSS:", the memory that this process has; "VmHWM:", the most that it has had.
double memory(std::string_view key);

}  // namespace cornu::bench
