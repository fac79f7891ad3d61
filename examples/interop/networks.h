#pragma once

#include <cornu/cornu.h>

#include <functional>
#include <map>
#include <string>

/// The networks of pytorch.py, in Cornu.
namespace cornu::interop {

struct Network {
  std::function<Sequential(std::uint64_t seed)> make;
  LayerNames rename{};  // names of PyTorch's modules, if they are not numbered
};

inline const std::map<std::string, Network>& networks() {
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

}  // namespace cornu::interop
