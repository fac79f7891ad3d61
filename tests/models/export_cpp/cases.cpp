#include "cornu/tests/models/export_cpp/cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/random_graph.h"
#include "cornu/tests/support/registered.h"
#include "cornu/tests/support/users_layers.h"

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

ExportCppCase pooled_sequences() {
  return of("pooled_sequences",
            {Input{11, 4}, MaxPooling1D{.pool_size = 3, .strides = 2, .padding = Padding::causal},
             AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::causal},
             AveragePooling1D{.strides = 1, .padding = Padding::same}, MaxPooling1D{.strides = 3},
             Concatenate{{GlobalMaxPooling1D{}}, {GlobalAveragePooling1D{}}}},
            {3, 11, 4});
}

/// Layers for each step: their calls are loops over the steps.
ExportCppCase frames() {
  const Activation add_second([](Var x) { return slice_axis(x, 1, 1, 2) + x; });
  return of(
      "frames",
      {Input{3, 7, 6, 2},
       TimeDistributed{Sequential{Conv2D{.filters = 4, .kernel_size = 2, .activation = relu}, BatchNormalization{},
                                  MaxPooling2D{}, DepthwiseConv2D{.kernel_size = 2, .padding = Padding::same}}},
       TimeDistributed{Concatenate{{Reshape{6, 4}, LSTM{3}}, {Flatten{}, Dense{2, tanh}}, {GlobalAveragePooling2D{}}}},
       TimeDistributed{Reshape{3, 3}},
       TimeDistributed{Sequential{add_second, SimpleRNN{.units = 3, .return_sequences = true},
                                  GRU{.units = 3, .return_sequences = true},
                                  MultiHeadAttention{.num_heads = 1, .key_dim = 2}, LayerNormalization{}}},
       TimeDistributed{Activation{[](Var x) { return slice_axis(x, 1, 1, 2); }}},
       TimeDistributed{.layer = TimeDistributed{Dense{2, softmax}}}, Flatten{}, Dense{2}},
      {2, 3, 7, 6, 2});
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

/// Padded sequences, with gaps.
ExportCppCase masks() {
  ExportCppCase result = of("masks",
                            {Input{5, 3}, Masking{}, Bidirectional{LSTM{.units = 4, .return_sequences = true}},
                             MultiHeadAttention{.num_heads = 2, .key_dim = 2},
                             GRU{.units = 4, .return_sequences = true, .go_backwards = true}, LayerNormalization{},
                             SimpleRNN{.units = 3, .return_sequences = true},
                             Concatenate{{GlobalMaxPooling1D{}}, {GlobalAveragePooling1D{}}}},
                            {6, 5, 3});
  for (Index step = 0; step < 30; step += 1 + step % 3) std::fill_n(result.x.data() + 3 * step, 3, Real{0});
  return result;
}

ExportCppCase simple_rnn() {
  return of("simple_rnn",
            {Input{6, 3}, SimpleRNN{.units = 4, .return_sequences = true, .go_backwards = true},
             SimpleRNN{.units = 3, .activation = relu, .use_bias = false, .return_sequences = true},
             Bidirectional{SimpleRNN{.units = 2, .activation = gelu, .return_sequences = true}, MergeMode::mul},
             SimpleRNN{.units = 5, .activation = softplus}},
            {4, 6, 3});
}

ExportCppCase bidirectional() {
  return of("bidirectional",
            {Input{5, 2}, Bidirectional{LSTM{.units = 3, .return_sequences = true}},
             Bidirectional{GRU{.units = 2, .return_sequences = true}, MergeMode::sum},
             Bidirectional{LSTM{.units = 2}, MergeMode::ave}},
            {3, 5, 2});
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

/// Sums of 16,000 equal floats. Added one by one, they lose four digits.
ExportCppCase long_sums() {
  ExportCppCase result =
      of("long_sums",
         {Input{16000}, Concatenate{{Reshape{100, 160, 1}, GlobalAveragePooling2D{}},
                                    {Activation{[](Var x) { return mean(x, 1, {.keepdims = true}); }}}}},
         {2, 16000});
  std::fill(result.x.begin(), result.x.end(), Real(0.7));
  return result;
}

/// Comparisons, selections, and functions whose edges lie among the inputs.
struct Selections {
  Parameter row{Tensor::vector({Real(-0.4), 0, Real(0.3), 1})};
  NamedParameters parameters() { return {{"row", &row}}; }
  Var forward(Var x) const {
    const Var halves = round(2 * x) / 2, first = slice_axis(x, 1, 0, 1);
    const Var relations = ops::greater(x, row) + 2 * ops::less(x, first) + 4 * ops::greater_equal(halves, row) +
                          8 * ops::less_equal(halves, first) + 16 * equal(halves, 0.5) + 32 * not_equal(halves, row);
    const Var logic = ops::logical_and(halves, row) + 2 * ops::logical_or(halves, row) +
                      4 * ops::logical_xor(halves, row) + 8 * ops::logical_not(halves) + 16 * isinf(x);
    const Var selected = where(ops::greater(x, 0), log(maximum(x, 0.1)), where(halves, first, row));
    return concatenate({relations, logic, selected, where(row, x, -7), where(first, 2, row * x)}, 2);
  }
};

Var functions_of_one_value(Var x) {
  return concatenate({sin(x), cos(x), erf(x), log1p(abs(x)), expm1(x), sign(x), floor(x), ceil(x), round(2 * x),
                      clip(x, -0.5, 1), clip(x, 0, std::numeric_limits<double>::infinity()), mod(x, 0.4), mod(x, -0.4),
                      mod(1, abs(x) + 0.5), celu(x, 0.5)},
                     -1);
}

Var sums_and_products(Var x) {
  const Var first = reshape(min(x, 1), {x.shape()[0], -1}), second = reshape(prod(x, 2, {.keepdims = true}), {-1, 3});
  const Var all = reshape(x, {x.shape()[0], -1});
  const Var sums = concatenate({cumsum(x, 1), cumsum(x, 2, {.exclusive = true}), cumsum(x, 1, {.reverse = true}),
                                cumsum(x, 2, {.exclusive = true, .reverse = true})},
                               2);
  return concatenate({first, second, logsumexp(x, 1), variance(x, 2), logsumexp(all, 1, {.keepdims = true}),
                      reshape(sums, {x.shape()[0], -1})},
                     1);
}

ExportCppCase nothing() { return of("nothing", {Input{4}, Dropout{}}, {3, 4}); }

}  // namespace

std::vector<ExportCppCase> export_cpp_cases() {
  std::vector<ExportCppCase> result{
      dense_layers(),
      convolutions(),
      activations(),
      models_in_models(),
      branches(),
      normalizations(),
      features(),
      text(),
      pooled_sequences(),
      frames(),
      recurrent(),
      simple_rnn(),
      masks(),
      bidirectional(),
      one_state(),
      attention(),
      odd_names(),
      augmented(),
      of("selections", {Input{3, 4}, Selections{}}, {5, 3, 4}),
      of("functions_of_one_value", {Input{9}, Activation{functions_of_one_value}}, {4, 9}),
      of("sums_and_products", {Input{3, 4}, Activation{sums_and_products}}, {5, 3, 4}),
      of("recurrent_activations",
         {Input{4, 3}, LSTM{.units = 3, .recurrent_activation = hard_sigmoid, .return_sequences = true},
          GRU{.units = 3, .activation = mish, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = relu6, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = selu, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = celu, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = hard_swish, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = softsign, .return_sequences = true},
          SimpleRNN{.units = 4, .activation = log_sigmoid}},
         {4, 4, 3}),
      long_sums(),
      nothing(),
      in_int8(dense_layers()),
      in_int8(convolutions()),
      in_int8(normalizations()),
      in_int8(text()),
      in_int8(recurrent()),
      in_int8(attention())};
  for (ExportCppCase& each : every_layer_in_cases()) result.push_back(std::move(each));
  for (ExportCppCase& each : indexing_cpp_cases()) result.push_back(std::move(each));
  return result;
}

namespace {

/// x / (1 + |x|), as an op of its own.
Var soft_sign(Var x) {
  Var y = x.tape().output(x.shape(), {x}, "soft_sign");
  for (Index i = 0; i < x.size(); ++i) y.out()[i] = x.value()[i] / (1 + std::abs(x.value()[i]));
  return y;
}

/// Registered as the activation "square", which is also the name of an op.
Var halved(Var x) { return x / 2; }

/// The sum of each pair of neighbours.
Var neighbours(Var x) {
  Var y = x.tape().output(x.shape().with(1, x.shape()[1] - 1), {x}, "neighbours");
  const Index n = y.shape()[1];
  for (Index i = 0; i < y.size(); ++i) {
    const Index at = i / n * (n + 1) + i % n;
    y.out()[i] = x.value()[at] + x.value()[at + 1];
  }
  return y;
}

CppValue write_neighbours(CppOpWriter& to) {
  to.function("neighbours", R"(
// y[i] = x[i] + x[i + 1].
template <size n>
inline void neighbours(const float* x, float* y) {
  for (size i = 0; i < n; ++i) y[i] = x[i] + x[i + 1];
}
)");
  return to.call("neighbours", std::to_string(to.result_shape().size()), {to.operand(0)});
}

/// 1.5 x, as x + 0.5 x in two calls with one result.
Var and_half(Var x) {
  Var y = x.tape().output(x.shape(), {x}, "and_half");
  for (Index i = 0; i < x.size(); ++i) y.out()[i] = Real(1.5) * x.value()[i];
  return y;
}

CppValue write_and_half(CppOpWriter& to) {
  const std::string size = std::to_string(to.result_shape().size());
  const CppValue y = to.call("each", size, {to.operand(0), "[](float v) { return 0.5f * v; }"});
  to.call("combine", "detail::Along<" + size + ", 1, 1>", {to.operand(0), y, "[](float a, float b) { return a + b; }"},
          y);
  return y;
}

/// Products and broadcasting of computed values, which no layer of Cornu needs.
struct Products {
  Var forward(Var x) const {  // (batch, 3, 4)
    const Var square = matmul(x, x, {.transpose_b = true}), inner = matmul(x, x, {.transpose_a = true});
    const Var first = reshape(slice_axis(x, 1, 0, 1), {x.shape()[0], 4}), row = slice_axis(x, 1, 1, 2);
    const Var own = affine(first, x.tape().constant(Tensor({4, 3}) + 1), x.tape().constant(Tensor({3})));
    const Var y = matmul(matmul(square, x), inner) + row * 2 + slice_axis(x, 2, 1, 2);
    return y + reshape(own, {x.shape()[0], 3, 1}) + x * row + row + pow(abs(x) + 1, 1.5) + maximum(x, row);
  }
};

}  // namespace

std::vector<ExportCppCase> users_cpp_cases() {
  static const bool registered = [] {
    register_cpp_op("soft_sign", [](CppOpWriter& to) { return to.each("v / (1.0f + std::fabs(v))"); });
    register_cpp_op("neighbours", write_neighbours);
    register_cpp_op("and_half", write_and_half);
    register_activation("square", halved);
    return true;
  }();
  static_cast<void>(registered);
  std::vector<ExportCppCase> result;
  for (auto& [name, model] : users_models()) {
    const Shape input = model.input_shape()->batched(4);
    result.push_back(of("users_" + name, std::move(model), input));
  }
  result.push_back(
      of("users_ops", {Input{6}, Dense{5, soft_sign}, Activation{neighbours}, Activation{and_half}, Dense{2}}, {4, 6}));
  result.push_back(of("users_products", {Input{3, 4}, Products{}}, {4, 3, 4}));
  result.push_back(of("users_same", {Inputs{{2}, {2}}, Same{}}, {4, 4}));
  result.push_back(of("users_constant", {Input{6}, Activation{[](Var x) {
                                           return exp(x.tape().constant(Tensor({x.shape()[0], 2}) + 3));
                                         }}},
                      {4, 6}));
  result.push_back(of("users_name", {Input{3, 2}, LSTM{.units = 3, .activation = halved}}, {4, 3, 2}));
  result.push_back(of("users_inputs", {Inputs{{5, 5, 1}, {3}}, Weighted{}}, {4, 28}));
  return result;
}

std::vector<ExportCppCase> random_cpp_cases(std::uint64_t first, std::uint64_t count) {
  std::vector<ExportCppCase> result;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Sequential model = random_model(seed);
    const Shape input = model.input_shape()->batched(4);
    result.push_back({"random_" + std::to_string(seed), std::move(model), normal(input)});
  }
  return result;
}

}  // namespace cornu::testing
