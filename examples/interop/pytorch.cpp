/// Networks that go from PyTorch to Cornu and back; pytorch.py runs this, and has the same networks.
///     python3 examples/interop/pytorch.py build/release/examples/interop_pytorch /tmp/interop
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>

using namespace cornu;

namespace {

constexpr double limit = 1e-5;  // of differences between outputs

struct Network {
  std::function<Sequential(std::uint64_t seed)> make;
  LayerNames rename{};  // what PyTorch's modules are called, where they are not numbered
};

const std::map<std::string, Network>& networks() {
  static const std::map<std::string, Network> all{
      {"mlp", {[](std::uint64_t seed) {
         return Sequential({Input{6}, Dense{16, relu}, Dropout{0.5}, Dense{3, softmax}}, {.seed = seed});
       }}},
      {"cnn",
       {[](std::uint64_t seed) {
          return Sequential({Input{10, 12, 3},
                             {"features", Sequential{Conv2D{.filters = 8, .kernel_size = 3, .padding = Padding::same},
                                                     BatchNormalization{}, ReLU{}, MaxPooling2D{},
                                                     Conv2D{.filters = 4, .kernel_size = 3, .activation = relu}}},
                             {"classifier", Sequential{Flatten{}, Dropout{0.5}, BatchNormalization{.epsilon = 1e-5},
                                                       Dense{16, relu}, Dense{5}}}},
                            {.seed = seed});
        },
        {{"features", "features"}, {"classifier", "classifier"}}}},
      {"depthwise", {[](std::uint64_t seed) {
         return Sequential({Input{9, 7, 4},
                            DepthwiseConv2D{.kernel_size = 3, .strides = 2, .depth_multiplier = 2, .activation = relu},
                            Conv2D{.filters = 6, .kernel_size = 1, .use_bias = false}, GlobalAveragePooling2D{},
                            LayerNormalization{.epsilon = 1e-5}, Dense{2}},
                           {.seed = seed});
       }}},
      {"generator", {[](std::uint64_t seed) {
         return Sequential({Input{5}, Dense{24}, BatchNormalization{}, Tanh{}, Reshape{2, 3, 4},
                            Conv2D{.filters = 3, .kernel_size = 3, .padding = Padding::same, .activation = sigmoid}},
                           {.seed = seed});
       }}},
      {"conv1d", {[](std::uint64_t seed) {
         return Sequential(
             {Input{11, 3}, Conv1D{.filters = 6, .kernel_size = 3, .activation = relu}, BatchNormalization{},
              Conv1D{.filters = 4, .kernel_size = 2, .strides = 2}, Flatten{}, Dense{2}},
             {.seed = seed});
       }}},
      {"lstm",
       {[](std::uint64_t seed) {
          return Sequential({Input{7}, Embedding{10, 4}, LSTM{.units = 6, .return_sequences = true}, LSTM{6}, Dense{3}},
                            {.seed = seed});
        },
        {{"embedding", "embedding"}, {"lstm", "rnn[0]"}, {"lstm_1", "rnn[1]"}, {"dense", "head"}}}},
      {"gru",
       {[](std::uint64_t seed) {
          return Sequential({Input{6, 3}, Dense{5}, GRU{.units = 4, .return_sequences = true}, Flatten{}, Dense{2}},
                            {.seed = seed});
        },
        {{"dense", "input"}, {"gru", "rnn"}, {"dense_1", "output"}}}},
      {"attention",
       {[](std::uint64_t seed) {
          return Sequential({Input{5, 8}, Residual{MultiHeadAttention{.num_heads = 2, .key_dim = 4}},
                             LayerNormalization{.epsilon = 1e-5}, Flatten{}, Dense{3}},
                            {.seed = seed});
        },
        {{"residual/multi_head_attention", "block.attention"}, {"layer_normalization", "norm"}, {"dense", "head"}}}}};
  return all;
}

/// A network of PyTorch's, and what it made of some samples.
bool take(const std::string& folder, const std::string& name, const Network& network, const SafetensorsFile& samples) {
  Sequential model = network.make(1);
  model.load_weights(folder + "/" + name + ".pytorch.safetensors", {.names = Names::pytorch, .rename = network.rename});
  const Tensor expected = samples.tensor("y"), got = model.predict(samples.tensor("x"));
  require(got.shape() == expected.shape(), "{}: outputs of shape {}; PyTorch's are {}", name, got.shape(),
          expected.shape());
  double difference = 0;
  for (Index i = 0; i < got.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  }
  fmt::print("{} from PyTorch to Cornu: outputs differ by at most {:.1e}\n", name, difference);
  return difference <= limit;
}

/// One that is trained here, and what it makes of the same samples.
void give(const std::string& folder, const std::string& name, const Network& network, const SafetensorsFile& samples) {
  Sequential model = network.make(2);
  model.compile({.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}});
  const Tensor x = samples.tensor("x");
  for (int step = 0; step < 5; ++step) model.train_on_batch(x, samples.tensor("y"));
  model.save_weights(folder + "/" + name + ".cornu.safetensors", {.names = Names::pytorch, .rename = network.rename});
  const Tensor y = model.predict(x);
  write_safetensors(folder + "/" + name + ".outputs.safetensors", std::vector{raw_tensor("y", y)});
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    fmt::print(stderr, "usage: interop_pytorch FOLDER NETWORK...\n");
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    for (int i = 2; i < count; ++i) {
      const std::string name = arguments[i];
      const SafetensorsFile samples(folder + "/" + name + ".samples.safetensors");
      const Network& network = networks().at(name);
      if (!take(folder, name, network, samples)) return 1;
      give(folder, name, network, samples);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
