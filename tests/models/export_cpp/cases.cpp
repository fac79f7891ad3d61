#include "cornu/tests/models/export_cpp/cases.h"

#include <algorithm>
#include <utility>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/registered.h"

namespace cornu::testing {

namespace {

/// Random weights instead of the initial ones, among which biases and means are 0.
Sequential disturbed(Sequential model) {
  Rng rng(11);
  for (const auto& [name, parameter] : model.parameters()) {
    if (name.ends_with("variance")) {
      rng.fill_uniform(parameter->value, Real(0.5), 2);
    } else {
      rng.fill_normal(parameter->value, 0, Real(0.4));
    }
  }
  return model;
}

/// Whole numbers from 0 to count - 1.
Tensor classes(const Shape& shape, Index count) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(7 * i % count);
  return result;
}

ExportCppCase of(std::string name, Sequential model, const Shape& batch) {
  return {std::move(name), disturbed(std::move(model)), normal(batch)};
}

ExportCppCase in_int8(ExportCppCase of) {
  of.name += "_int8";
  of.int8_weights = true;
  return of;
}

ExportCppCase dense_layers() {
  return of("dense_layers", {Input{5, 4}, Flatten{}, Dense{17, relu}, Dropout{}, Dense{9, tanh}, Dense{3}, Softmax{}},
            {7, 5, 4});
}

ExportCppCase convolutions() {
  return of(
      "convolutions",
      {Input{13, 11, 4}, Conv2D{.filters = 6, .kernel_size = {3, 2}, .padding = Padding::same, .activation = relu},
       MaxPooling2D{.pool_size = {2, 3}, .strides = {1, 2}, .padding = Padding::same},
       DepthwiseConv2D{.kernel_size = 2, .depth_multiplier = 2, .activation = silu},
       Conv2D{.filters = 8, .kernel_size = 3, .dilation_rate = 2, .groups = 2, .use_bias = false}, Sigmoid{},
       AveragePooling2D{.pool_size = 2, .strides = 1, .padding = Padding::same},
       DepthwiseConv2D{.kernel_size = {1, 3}, .strides = 2, .padding = Padding::same, .use_bias = false},
       Conv2D{.filters = 5, .kernel_size = {3, 1}, .strides = 2}, GlobalAveragePooling2D{.keepdims = true}},
      {3, 13, 11, 4});
}

ExportCppCase activations() {
  std::vector<std::vector<AnyLayer>> functions;
  for (const std::string& name : registered_activations) {
    functions.push_back({Activation(detail::activation_registry().find(name))});
  }
  return of("activations",
            {Input{6},
             {"named", Concatenate(functions)},
             {"layers", Concatenate{{ReLU{}},
                                    {Sigmoid{}},
                                    {Tanh{}},
                                    {LeakyReLU{}},
                                    {ELU{.alpha = 0.7}},
                                    {GELU{}},
                                    {GELU{.approximate = true}},
                                    {Swish{}},
                                    {Softplus{}},
                                    {Softmax{}}}}},
            {40, 6});
}

ExportCppCase models_in_models() {
  return of("models_in_models",
            {Input{4, 3}, Sequential({Dense{6, sigmoid}, Tanh{}}, {.name = "inner model"}), Softmax{.axis = 1}, ReLU{},
             Reshape{3, -1}, Input{3, 8}, Softmax{}, Dense{2}},
            {5, 4, 3});
}

ExportCppCase branches() {
  return of("branches",
            {Input{2, 3, 4}, Dense{4, tanh}, Residual{Dense{5, relu}, Residual{ReLU{}, Dropout{}}, Dense{4}},
             Concatenate{{}, {Dense{3}}, {Residual{Dense{4}}}},
             Concatenate{{{Tanh{}}, {Conv2D{.filters = 11, .kernel_size = {2, 1}}}}, 1}, Concatenate{{{}, {}}, 2}},
            {5, 2, 3, 4});
}

ExportCppCase normalizations() {
  return of(
      "normalizations",
      {Input{6, 5, 4}, Conv2D{.filters = 4, .kernel_size = 2, .use_bias = false}, BatchNormalization{}, ReLU{},
       DepthwiseConv2D{.kernel_size = 2, .depth_multiplier = 2}, BatchNormalization{.axis = 3, .center = false},
       BatchNormalization{.axis = 1, .scale = false}, LayerNormalization{.axis = {-2, -1}, .epsilon = 0.01},
       Reshape{12, 8}, Conv1D{.filters = 6, .kernel_size = 3}, BatchNormalization{.scale = false},
       LayerNormalization{.center = false}, LayerNormalization{.scale = false}, Dense{5}, BatchNormalization{.axis = 1},
       Dense{5}, BatchNormalization{.center = false, .scale = false}, Dense{3, gelu}, BatchNormalization{}},
      {4, 6, 5, 4});
}

/// Values far from 0: the mean must be subtracted before anything else.
ExportCppCase features() {
  ExportCppCase result = of("features",
                            {Input{3, 4, 2},
                             {"one", Normalization{.axis = {}}},
                             {"last", Normalization{}},
                             {"two", Normalization{.axis = {1, 3}}},
                             {"back", Normalization{.axis = {2, 1}, .invert = true}}},
                            {4, 3, 4, 2});
  result.model.get_layer("one").as<Normalization>()->mean.value[0] = 10000;
  for (Index i = 0; i < result.x.size(); ++i) result.x[i] = 10000 + static_cast<Real>(i % 17) / 4;
  return result;
}

/// Layer names that are not C++ identifiers, are already used, or become equal when invalid characters are removed.
ExportCppCase odd_names() {
  return of("odd_names",
            {Input{3, 3, 2},
             {"1st", Dense{2, tanh}},
             {"x-y", Dense{2, tanh}},
             {"x_y", Dense{2, tanh}},
             {"_x__y\n", Dense{2, tanh}},
             {"float", Dense{2, tanh}},
             {"d\xc3\xa9j\xc3\xa0 vu\\", Dense{2, tanh}},
             {"global", BatchNormalization{}},
             GlobalAveragePooling2D{}},
            {3, 3, 3, 2});
}

ExportCppCase text() {
  ExportCppCase result =
      of("text",
         {Input{9}, Embedding{.input_dim = 11, .output_dim = 6},
          Conv1D{.filters = 4, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 2, .activation = relu},
          Conv1D{.filters = 6, .kernel_size = 2, .strides = 2, .groups = 2, .use_bias = false}, Flatten{}, Dense{2}},
         {4, 9});
  result.x = classes({4, 9}, 11);
  return result;
}

ExportCppCase recurrent() {
  return of("recurrent",
            {Input{7, 3}, LSTM{.units = 5, .return_sequences = true, .go_backwards = true},
             GRU{.units = 4, .return_sequences = true},
             GRU{.units = 6, .return_sequences = true, .go_backwards = true, .reset_after = false},
             GRU{.units = 3,
                 .activation = softplus,
                 .recurrent_activation = tanh,
                 .use_bias = false,
                 .return_sequences = true},
             LSTM{.units = 4, .activation = gelu, .recurrent_activation = relu, .use_bias = false}},
            {4, 7, 3});
}

ExportCppCase one_state() {
  return of("one_state", {Input{5, 2}, GRU{.units = 3}, Reshape{3, 1}, LSTM{.units = 1}}, {3, 5, 2});
}

ExportCppCase attention() {
  return of(
      "attention",
      {Inputs{{6, 8}}, Residual{LayerNormalization{}, MultiHeadAttention{.num_heads = 2, .key_dim = 3}},
       MultiHeadAttention{.num_heads = 3, .key_dim = 2, .value_dim = 5, .use_bias = false, .use_causal_mask = true},
       Flatten{}, Inputs{{48}}},
      {4, 48});
}

ExportCppCase augmented() {
  return of("augmented",
            {Input{6, 6, 1}, RandomFlip{}, RandomRotation{.factor = 0.1}, RandomZoom{.height_factor = 0.1},
             RandomTranslation{.height_factor = 0.1, .width_factor = 0.1}, RandomErasing{}, Dense{2}},
            {3, 6, 6, 1});
}

/// The layers of every_layer.h that take samples of this shape, side by side.
ExportCppCase every_layer_of(const std::string& name, const Shape& input) {
  std::vector<std::vector<AnyLayer>> layers;
  for (const LayerRow& row : every_layer()) {
    const bool takes_indices = row.layer.type() == "Embedding";
    if (row.input == input && !takes_indices) layers.push_back({row.layer, Flatten{}});
  }
  return of(name, {Input{input}, Concatenate(std::move(layers))}, input.batched(3));
}

std::vector<ExportCppCase> every_layer_in_cases() {
  std::vector<Shape> inputs;
  for (const LayerRow& row : every_layer()) {
    if (std::find(inputs.begin(), inputs.end(), row.input) == inputs.end()) inputs.push_back(row.input);
  }
  std::vector<ExportCppCase> result;
  for (const Shape& input : inputs) {
    result.push_back(every_layer_of("every_layer_" + std::to_string(result.size()), input));
  }
  return result;
}

ExportCppCase nothing() { return of("nothing", {Input{4}, Dropout{}}, {3, 4}); }

}  // namespace

std::vector<ExportCppCase> export_cpp_cases() {
  std::vector<ExportCppCase> result{dense_layers(),
                                    convolutions(),
                                    activations(),
                                    models_in_models(),
                                    branches(),
                                    normalizations(),
                                    features(),
                                    text(),
                                    recurrent(),
                                    one_state(),
                                    attention(),
                                    odd_names(),
                                    augmented(),
                                    nothing(),
                                    in_int8(dense_layers()),
                                    in_int8(convolutions()),
                                    in_int8(normalizations()),
                                    in_int8(text()),
                                    in_int8(recurrent()),
                                    in_int8(attention())};
  for (ExportCppCase& each : every_layer_in_cases()) result.push_back(std::move(each));
  return result;
}

}  // namespace cornu::testing
