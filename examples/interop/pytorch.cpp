/// Exchanges weights with PyTorch in both directions. Run by pytorch.py, which defines the same networks:
///     python3 examples/interop/pytorch.py build/interop build/release/examples/interop_pytorch
#include "cornu/examples/interop/networks.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <iostream>
#include <vector>

using namespace cornu;
using interop::Network;

namespace {

constexpr double limit = 1e-5;  // largest allowed difference between outputs

double greatest_difference(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "outputs of shape {}, PyTorch's have {}", a.shape(), b.shape());
  double result = 0;
  for (Index i = 0; i < a.size(); ++i) {
    result = std::max(result, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return result;
}

/// Loads weights trained in PyTorch; returns the largest difference between the outputs.
double take(const std::string& folder, const std::string& name, const Network& network, const Tensor& x,
            const Tensor& expected) {
  Sequential model = network.make(1);
  model.load_weights(folder + "/" + name + ".pytorch.safetensors", {.names = Names::pytorch, .rename = network.rename});
  return greatest_difference(model.predict(x), expected);
}

/// Trains a network here and saves its weights for PyTorch; returns its outputs.
Tensor give(const std::string& folder, const std::string& name, const Network& network, const Tensor& x,
            const Tensor& y) {
  Sequential model = network.make(2);
  model.compile({.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}});
  for (int step = 0; step < 5; ++step) model.train_on_batch(x, y);
  model.save_weights(folder + "/" + name + ".cornu.safetensors", {.names = Names::pytorch, .rename = network.rename});
  return model.predict(x);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: interop_pytorch FOLDER\n";
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    const SafetensorsFile samples(folder + "/samples.safetensors");
    std::deque<Tensor> outputs;
    std::vector<RawTensor> to_write;
    for (const auto& [name, network] : interop::networks()) {
      const Tensor x = samples.tensor(name + ".x"), y = samples.tensor(name + ".y");
      const double difference = take(folder, name, network, x, y);
      std::cout << fmt::format("{} from PyTorch to Cornu: outputs differ by at most {:.1e}\n", name, difference);
      if (!(difference <= limit)) return 1;
      to_write.push_back(raw_tensor(name, outputs.emplace_back(give(folder, name, network, x, y))));
    }
    write_safetensors(folder + "/outputs.safetensors", to_write);
  } catch (const std::exception& error) {
    std::cerr << fmt::format("{}\n", error.what());
    return 1;
  }
  return 0;
}
