#include "cornu/layers/registry.h"

#include "cornu/core/memory_limit.h"
#include "cornu/core/text/printable.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/augmentation/random_rotation.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/augmentation/random_zoom.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/input.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/masking.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/graph.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/global_max_pooling2d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"
#include "cornu/layers/rnn/time_distributed.h"

namespace cornu {

namespace detail {

FunctionRegistry<Activation::Function>& activation_registry() {
  static FunctionRegistry<Activation::Function> registry("activation", "register_activation",
                                                         {{"linear", linear},
                                                          {"relu", relu},
                                                          {"sigmoid", sigmoid},
                                                          {"tanh", tanh},
                                                          {"softmax", softmax},
                                                          {"log_softmax", log_softmax},
                                                          {"exponential", exp},
                                                          {"leaky_relu", leaky_relu},
                                                          {"elu", elu},
                                                          {"gelu", gelu},
                                                          {"silu", silu},
                                                          {"swish", swish},
                                                          {"softplus", softplus},
                                                          {"relu6", relu6},
                                                          {"hard_sigmoid", hard_sigmoid},
                                                          {"hard_silu", hard_silu},
                                                          {"hard_swish", hard_swish},
                                                          {"log_sigmoid", log_sigmoid},
                                                          {"softsign", softsign},
                                                          {"mish", mish},
                                                          {"selu", selu},
                                                          {"celu", celu}});
  return registry;
}

FunctionRegistry<InitializerFunction>& initializer_functions() {
  static FunctionRegistry<InitializerFunction> registry("initializer", "register_initializer",
                                                        {{"zeros", zeros},
                                                         {"ones", ones},
                                                         {"glorot_uniform", glorot_uniform},
                                                         {"glorot_normal", glorot_normal},
                                                         {"he_uniform", he_uniform},
                                                         {"he_normal", he_normal},
                                                         {"lecun_uniform", lecun_uniform},
                                                         {"lecun_normal", lecun_normal}});
  return registry;
}

// Filled on first use: a linker would drop static initialisers from a static library.
Registry<AnyLayer>& layer_registry() {
  static Registry<AnyLayer> registry("layer", "register_layer", [](Registry<AnyLayer>& own) {
    own.add_all<AveragePooling1D, AveragePooling2D, BatchNormalization, Concatenate, Dense, Dropout, ELU, Flatten, GELU,
                GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, Graph, GRU,
                Input, LayerNormalization, LeakyReLU, LSTM, Masking, MaxPooling1D, MaxPooling2D, Normalization,
                RandomErasing, RandomFlip, ReLU, Reshape, Residual, Sigmoid, SimpleRNN, Softmax, Softplus, Swish,
                Tanh>();
    // These have options without a default, so L{} does not compile.
    own.add<Activation>("Activation", [] { return Activation(linear); });
    own.add<Bidirectional>("Bidirectional", [] { return Bidirectional(SimpleRNN{.units = 1}); });
    own.add<Conv1D>("Conv1D", [] { return Conv1D{.filters = 1, .kernel_size = 1}; });
    own.add<Conv2D>("Conv2D", [] { return Conv2D{.filters = 1, .kernel_size = 1}; });
    own.add<DepthwiseConv2D>("DepthwiseConv2D", [] { return DepthwiseConv2D{.kernel_size = 1}; });
    own.add<Embedding>("Embedding", [] { return Embedding{.input_dim = 1, .output_dim = 1}; });
    own.add<Inputs>("Inputs", [] { return Inputs{{1}}; });
    own.add<MultiHeadAttention>("MultiHeadAttention", [] { return MultiHeadAttention{.num_heads = 1, .key_dim = 1}; });
    own.add<RandomRotation>("RandomRotation", [] { return RandomRotation{.factor = 0}; });
    own.add<RandomTranslation>("RandomTranslation",
                               [] { return RandomTranslation{.height_factor = 0, .width_factor = 0}; });
    own.add<RandomZoom>("RandomZoom", [] { return RandomZoom{.height_factor = 0}; });
    own.add<TimeDistributed>("TimeDistributed", [] { return TimeDistributed{Activation(linear)}; });
  });
  return registry;
}

}  // namespace detail

using detail::InitializerFunction;

namespace {
constexpr std::size_t most_bytes_of_a_layer = 1024;
}

void register_initializer(std::string name, InitializerFunction function) {
  detail::initializer_functions().add(std::move(name), function);
}

void register_activation(std::string name, Activation activation) {
  detail::activation_registry().add(std::move(name), activation.function());
}

void to_json(Json& json, const AnyLayer& layer) {
  const Json described = detail::layer_registry().describe(
      layer, layer.name().empty() ? layer.type() : message("{} ({})", layer.name(), layer.type()));
  json = Json();
  json.set("class_name", described.at("class_name"));
  json.set("name", layer.name());
  json.set("config", described.at("config"));
}

AnyLayer json_to(const Json& json, As<AnyLayer>) {
  const auto name = value_of<std::string>(json.at("name"));
  // Even a layer without parameters takes memory, and a file can list any number of layers.
  detail::MemoryLimit::charge(detail::MemoryLimit::tensors, most_bytes_of_a_layer);
  try {
    AnyLayer layer = detail::layer_registry().make(json);
    layer.rename(name);
    return layer;
  } catch (Error& error) {
    if (!name.empty()) error.add_context(detail::printable(name));
    throw;
  }
}

void to_json(Json& json, const Activation& activation) {
  json = detail::activation_registry().name_of(activation.function());
}

void from_json(const Json& json, Activation& activation) {
  activation = Activation(detail::activation_registry().find(value_of<std::string>(json)));
}

void to_json(Json& json, const Initializer& initializer) {
  if (const auto* function = initializer.target<InitializerFunction>()) {
    json = detail::initializer_functions().name_of(*function);
  } else {
    json = detail::initializer_registry().describe(initializer, "an initializer");
  }
}

void from_json(const Json& json, Initializer& initializer) {
  if (const auto* name = json.as<std::string>()) {
    initializer = detail::initializer_functions().find(*name);
  } else {
    initializer = detail::initializer_registry().make(json);
  }
}

}  // namespace cornu
