#include "cornu/keras/layer_rows.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cornu::keras::detail {

namespace {

Rule ignored(std::string_view option) { return {.option = option, .ignored = true}; }
Rule only(std::string_view option, Json value) { return {.option = option, .allowed = {std::move(value)}}; }
Rule renamed(std::string_view option, std::string_view cornu) { return {.option = option, .cornu_name = cornu}; }

/// Rules of every layer. `name`, `trainable` and `dtype` are read separately.
const std::vector<Rule>& common_rules() {
  static const std::vector<Rule> rules{ignored("name"),
                                       ignored("trainable"),
                                       ignored("dtype"),
                                       ignored("seed"),
                                       ignored("batch_input_shape"),
                                       ignored("batch_shape"),
                                       ignored("autocast"),
                                       only("data_format", "channels_last")};
  return rules;
}

std::vector<Rule> recurrent(std::vector<Rule> more = {}) {
  std::vector<Rule> rules{only("return_state", false), only("stateful", false), only("zero_output_for_mask", false),
                          only("time_major", false),   ignored("unroll"),       ignored("implementation"),
                          ignored("use_cudnn")};
  rules.insert(rules.end(), more.begin(), more.end());
  return rules;
}

}  // namespace

std::span<const LayerRow> layer_rows() {
  static const std::vector<LayerRow> rows{
      {"Activation"},
      {"AveragePooling1D"},
      {"AveragePooling2D"},
      {"BatchNormalization", {only("renorm", false)}},
      {"Conv1D"},
      {"Conv2D"},
      {"Dense"},
      {"DepthwiseConv2D", {only("groups", std::int64_t{1})}},
      {"Dropout"},
      {"ELU"},
      {"Embedding", {ignored("input_length"), only("sparse", false)}},
      {"Flatten"},
      {"GRU", recurrent()},
      {"GlobalAveragePooling1D"},
      {"GlobalAveragePooling2D"},
      {"GlobalMaxPooling1D"},
      {"GlobalMaxPooling2D"},
      {"LSTM", recurrent()},
      {"LayerNormalization", {only("rms_scaling", false)}},
      {"LeakyReLU", {renamed("alpha", "negative_slope")}},
      {"Masking"},
      {"MaxPooling1D"},
      {"MaxPooling2D"},
      {"MultiHeadAttention",
       {only("attention_axes", Json::Array{std::int64_t{1}}), ignored("flash_attention"), only("use_gate", false),
        ignored("query_shape"), ignored("key_shape"), ignored("value_shape")}},
      {"Normalization"},
      {"RandomErasing"},
      {"RandomFlip"},
      {"RandomRotation", {only("interpolation", "bilinear"), ignored("value_range")}},
      {"RandomTranslation", {only("interpolation", "bilinear")}},
      {"RandomZoom", {only("interpolation", "bilinear")}},
      {"ReLU", {only("negative_slope", std::int64_t{0}), only("threshold", std::int64_t{0})}},
      {"Reshape"},
      {"SimpleRNN", recurrent()},
      {"Softmax"},
  };
  return rows;
}

const LayerRow* layer_row(std::string_view class_name) {
  const std::span<const LayerRow> rows = layer_rows();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const LayerRow& row) { return row.class_name == class_name; });
  return found == rows.end() ? nullptr : &*found;
}

const Rule* rule_for(const LayerRow& row, std::string_view option) {
  for (const std::vector<Rule>* const rules : {&row.rules, &common_rules()}) {
    const auto found =
        std::find_if(rules->begin(), rules->end(), [&](const Rule& rule) { return rule.option == option; });
    if (found != rules->end()) return &*found;
  }
  return nullptr;
}

std::span<const MergeRow> merge_rows() {
  static constexpr std::array<MergeRow, 7> rows{{{"Add", "add"},
                                                 {"Subtract", "subtract"},
                                                 {"Multiply", "multiply"},
                                                 {"Average", "average"},
                                                 {"Maximum", "maximum"},
                                                 {"Minimum", "minimum"},
                                                 {"Concatenate", "concatenate"}}};
  return rows;
}

const MergeRow* merge_row(std::string_view class_name) {
  const std::span<const MergeRow> rows = merge_rows();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const MergeRow& row) { return row.class_name == class_name; });
  return found == rows.end() ? nullptr : &*found;
}

std::span<const std::string_view> layers_without_row() {
  static constexpr std::array<std::string_view, 13> names{
      // Keras has functions and models in their place.
      "GELU", "Graph", "Inputs", "Residual", "Sigmoid", "Softplus", "Swish", "Tanh",
      // Read by code of their own: InputLayer, layers that contain layers, and merges.
      "Bidirectional", "Concatenate", "Input", "Sequential", "TimeDistributed"};
  return names;
}

}  // namespace cornu::keras::detail
