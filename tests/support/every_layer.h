#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/cornu.h"

namespace cornu::testing {

struct LayerRow {
  AnyLayer layer;
  Shape input;
};

/// A layer of each type, except Inputs, which only states the input shapes.
inline const std::vector<LayerRow>& every_layer() {
  const Shape image{5, 5, 2}, steps{5, 3}, features{6};
  static const std::vector<LayerRow> rows{
      {Activation{tanh}, features},
      {AveragePooling1D{}, steps},
      {AveragePooling2D{}, image},
      {BatchNormalization{}, image},
      {Bidirectional{LSTM{.units = 2, .return_sequences = true}}, steps},
      {Concatenate{{Dense{3}}, {Dense{2}, Dropout{0.3}}}, features},
      {Conv1D{.filters = 2, .kernel_size = 2}, steps},
      {Conv2D{.filters = 2, .kernel_size = 2}, image},
      {Dense{4}, features},
      {DepthwiseConv2D{.kernel_size = 2}, image},
      {Dropout{0.4}, features},
      {ELU{}, features},
      {Embedding{.input_dim = 1, .output_dim = 3}, features},
      {Flatten{}, image},
      {GELU{}, features},
      {GlobalAveragePooling1D{}, steps},
      {GlobalAveragePooling2D{}, image},
      {GlobalMaxPooling1D{}, steps},
      {GlobalMaxPooling2D{}, image},
      {Graph(1, {{"one", Dense{3}}, {"other", Dense{3}}},
             {{0, {0}}, {1, {0}}, {-1, {1, 2}, Graph::Merge::multiply}, {-1, {3, 0}, Graph::Merge::concatenate}}, {4}),
       features},
      {GRU{.units = 3}, steps},
      {Input{6}, features},
      {LayerNormalization{}, features},
      {LeakyReLU{}, features},
      {LSTM{.units = 3}, steps},
      {Masking{}, steps},
      {MaxPooling1D{}, steps},
      {MaxPooling2D{}, image},
      {MultiHeadAttention{.num_heads = 2, .key_dim = 2}, Shape{5, 4}},
      {Normalization{}, features},
      {RandomErasing{}, image},
      {RandomFlip{}, image},
      {RandomRotation{.factor = 0.1}, image},
      {RandomTranslation{0.2, 0.2}, image},
      {RandomZoom{.height_factor = 0.2}, image},
      {ReLU{}, features},
      {Reshape{3, 2}, features},
      {Residual{Dense{6}, Dropout{0.3}}, features},
      {Sigmoid{}, features},
      {SimpleRNN{.units = 3}, steps},
      {Softmax{}, features},
      {Softplus{}, features},
      {Swish{}, features},
      {Tanh{}, features},
      {TimeDistributed{Dense{2}}, steps},
  };
  return rows;
}

/// The names of a layer's own options that end in `ending`, such as "_regularizer".
inline std::vector<std::string> options_that_end_in(std::string_view ending, const AnyLayer& layer) {
  std::vector<std::string> names;
  const Json described = detail::layer_registry().describe(layer, "layer");
  for (const auto& [name, value] : detail::object_of(described.at("config"))) {
    if (name.ends_with(ending)) names.push_back(name);
  }
  return names;
}

/// The layer with another value of an option.
inline AnyLayer with_option(const AnyLayer& layer, std::string_view name, const Json& value) {
  Json described = detail::layer_registry().describe(layer, "layer"), config(Json::Object{});
  for (const auto& [each, known] : detail::object_of(described.at("config"))) {
    config.set(each, each == name ? value : known);
  }
  Json changed;
  changed.set("class_name", described.at("class_name"));
  changed.set("config", std::move(config));
  return detail::layer_registry().make(changed);
}

}  // namespace cornu::testing
