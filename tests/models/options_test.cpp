#include "cornu/core/options/options.h"

#include <gtest/gtest.h>

#include <limits>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/tests/support/expect_error.h"

// Options other than the defaults are read back as they were written, and the texts of files do not change. The options
// of every type: tests/onnx/completeness_test.cpp.

namespace cornu {
namespace {

using testing::expect_error;

template <class T>
std::string written(const T& value) {
  Json json;
  to_json(json, value);
  return to_string(json);
}

/// Expects a value to be unchanged by a trip through JSON text, and to be written as `text`.
template <class Any>
void expect_trip(const Any& value, const std::string& text) {
  EXPECT_EQ(written(value), text);
  EXPECT_EQ(written(value_of<Any>(parse_json(text))), text);
}
void expect_layer(AnyLayer layer, const std::string& config) {
  layer.rename("x");
  expect_trip(layer, R"({"class_name":")" + std::string(layer.type()) + R"(","name":"x","config":)" + config + "}");
}

const std::string without_penalties =
    R"("kernel_regularizer":null,"bias_regularizer":null,"activity_regularizer":null,)"
    R"("kernel_constraint":null,"bias_constraint":null)";

/// Expects a layer to be unchanged by a trip through JSON, and its text to contain this part.
void expect_trip_of(AnyLayer layer, const std::string& part) {
  layer.rename("x");
  const std::string text = written(layer);
  EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_EQ(written(value_of<AnyLayer>(parse_json(text))), text);
}

TEST(Options, OfLayersComeBack) {
  expect_layer(Dense{.units = 3,
                     .activation = relu,
                     .use_bias = false,
                     .kernel_initializer = he_normal,
                     .bias_initializer = constant(0.5)},
               R"({"units":3,"activation":"relu","use_bias":false,"kernel_initializer":"he_normal",)"
               R"("bias_initializer":{"class_name":"Constant","config":{"value":0.5}},)" +
                   without_penalties + "}");
  expect_layer(Conv2D{.filters = 4, .kernel_size = {3, 5}, .strides = 2, .padding = Padding::same, .groups = 2},
               R"({"filters":4,"kernel_size":[3,5],"strides":[2,2],"padding":"same","dilation_rate":[1,1],"groups":2,)"
               R"("activation":"linear","use_bias":true,"kernel_initializer":"glorot_uniform",)"
               R"("bias_initializer":"zeros",)" +
                   without_penalties + "}");
  expect_layer(MaxPooling2D{.pool_size = 3}, R"({"pool_size":[3,3],"strides":[0,0],"padding":"valid"})");
  expect_layer(AveragePooling2D{.strides = {1, 2}}, R"({"pool_size":[2,2],"strides":[1,2],"padding":"valid"})");
  expect_layer(GlobalAveragePooling2D{.keepdims = true}, R"({"keepdims":true})");
  expect_layer(MaxPooling1D{.pool_size = 3}, R"({"pool_size":3,"strides":0,"padding":"valid"})");
  expect_layer(AveragePooling1D{.strides = 1, .padding = Padding::causal},
               R"({"pool_size":2,"strides":1,"padding":"causal"})");
  expect_layer(GlobalMaxPooling1D{.keepdims = true}, R"({"keepdims":true})");
  expect_layer(Dropout{0.1}, R"({"rate":0.1})");
  expect_layer(Flatten{}, R"({"shape":null})");
  expect_layer(Flatten{28, 28}, R"({"shape":[28,28]})");
  expect_layer(Input{3}, R"({"shape":[3]})");
  expect_layer(Reshape{4, -1}, R"({"target_shape":[4,-1]})");
  expect_layer(Activation{tanh}, R"({"activation":"tanh"})");
  expect_layer(Softmax{.axis = 1}, R"({"axis":1})");
  expect_layer(GELU{.approximate = true}, R"({"approximate":true})");
  expect_layer(LeakyReLU{.negative_slope = 0.1}, R"({"negative_slope":0.1})");
  expect_layer(ELU{.alpha = 2}, R"({"alpha":2.0})");
  expect_layer(Residual{{"inner", ReLU{}}}, R"({"layers":[{"class_name":"ReLU","name":"inner","config":{}}]})");
  expect_layer(Inputs{{2}, {3, 4}}, R"({"shapes":[[2],[3,4]]})");
  expect_layer(RandomFlip{RandomFlip::vertical}, R"({"mode":"vertical"})");
  expect_layer(TimeDistributed{{"inner", ReLU{}}}, R"({"layer":{"class_name":"ReLU","name":"inner","config":{}}})");
  expect_trip_of(Concatenate{{Dense{2}}, {}, {ReLU{}}}, R"("class_name":"ReLU","name":"re_lu")");
  expect_trip_of(Dense{.units = 1, .kernel_regularizer = L1{0.5}, .kernel_constraint = MaxNorm{.axis = {0, 1}}},
                 R"("kernel_regularizer":{"l1":0.5,"l2":0.0})");
  expect_trip_of(Conv1D{.filters = 2, .kernel_size = 3, .padding = Padding::causal}, R"("padding":"causal")");
  expect_trip_of(DepthwiseConv2D{.kernel_size = 3, .depth_multiplier = 4}, R"("depth_multiplier":4)");
  expect_trip_of(LSTM{.units = 3, .return_sequences = true}, R"("recurrent_initializer":{"class_name":"Orthogonal")");
  expect_trip_of(SimpleRNN{.units = 3, .dropout = 0.25}, R"("dropout":0.25,"recurrent_dropout":0.0)");
  expect_trip_of(Bidirectional{{"a", LSTM{.units = 3, .recurrent_dropout = 0.5}}, MergeMode::ave},
                 R"("merge_mode":"ave","backward_layer":{"class_name":"LSTM","name":"backward_a")");
  expect_trip_of(GRU{.units = 3, .reset_after = false}, R"("reset_after":false)");
  expect_trip_of(MultiHeadAttention{.num_heads = 2, .key_dim = 5, .use_causal_mask = true}, R"("key_dim":5)");
  expect_trip_of(Embedding{.input_dim = 7, .output_dim = 2}, R"("input_dim":7)");
  expect_trip_of(BatchNormalization{.axis = 1, .momentum = 0.5}, R"("momentum":0.5)");
  expect_trip_of(LayerNormalization{.axis = {-2, -1}}, R"("axis":[-2,-1])");
  expect_trip_of(Normalization{.axis = {}, .invert = true}, R"("invert":true)");
  expect_trip_of(RandomRotation{.factor = {-0.1, 0.2}, .fill_mode = FillMode::nearest},
                 R"("factor":[-0.1,0.2],"fill_mode":"nearest")");
  expect_trip_of(RandomTranslation{.height_factor = 0.5, .width_factor = 0.25}, R"("width_factor":[-0.25,0.25])");
  expect_trip_of(RandomZoom{.height_factor = 0.5}, R"("width_factor":null)");
}

TEST(Options, OfInitializersComeBack) {
  for (const Initializer& initializer :
       {constant(2), random_uniform(-3, 1), random_normal(1, 2), truncated_normal(3, 4), orthogonal(0.5)}) {
    const Initializer again = value_of<Initializer>(parse_json(written(initializer)));
    Tensor expected({4, 3}), got({4, 3});
    Rng rng(1), same(1);
    initializer(expected, rng);
    again(got, same);
    EXPECT_EQ(got, expected) << written(initializer);
  }
}

TEST(Options, OfOptimizersComeBack) {
  const std::string extras =
      R"("extras":{"exclude_from_weight_decay":[],"learning_rate_multipliers":{},"use_ema":false,"ema_momentum":0.99,)"
      R"("ema_overwrite_frequency":0}})";
  const std::string none = R"("weight_decay":0.0,"clipnorm":0.0,"clipvalue":0.0,"global_clipnorm":0.0},)" + extras;
  expect_trip(AnyOptimizer(SGD{.learning_rate = 0.5, .momentum = 0.9, .nesterov = true}),
              R"({"class_name":"SGD","config":{"learning_rate":0.5,"momentum":0.9,"nesterov":true,)" + none);
  expect_trip(AnyOptimizer(Adam{.beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-6, .amsgrad = true}),
              R"({"class_name":"Adam","config":{"learning_rate":0.001,"beta_1":0.8,"beta_2":0.9,"epsilon":1e-06,)"
              R"("amsgrad":true,)" +
                  none);
  expect_trip(AnyOptimizer(AdamW{.clipnorm = 2}),
              R"({"class_name":"AdamW","config":{"learning_rate":0.001,"beta_1":0.9,"beta_2":0.999,"epsilon":1e-07,)"
              R"("amsgrad":false,"weight_decay":0.004,"clipnorm":2.0,"clipvalue":0.0,"global_clipnorm":0.0},)" +
                  extras);
  expect_trip(
      AnyOptimizer(Nadam{}),
      R"({"class_name":"Nadam","config":{"learning_rate":0.001,"beta_1":0.9,"beta_2":0.999,"epsilon":1e-07,)" + none);
  expect_trip(AnyOptimizer(RMSprop{.rho = 0.5, .centered = true}),
              R"({"class_name":"RMSprop","config":{"learning_rate":0.001,"rho":0.5,"momentum":0.0,"epsilon":1e-07,)"
              R"("centered":true,)" +
                  none);
  expect_trip(AnyOptimizer(Adagrad{.initial_accumulator_value = 0.5}),
              R"({"class_name":"Adagrad","config":{"learning_rate":0.001,"initial_accumulator_value":0.5,)"
              R"("epsilon":1e-07,)" +
                  none);
  expect_trip(
      AnyOptimizer(Lamb{}),
      R"({"class_name":"Lamb","config":{"learning_rate":0.001,"beta_1":0.9,"beta_2":0.999,"epsilon":1e-07,)" + none);
  expect_trip(AnyOptimizer(Lion{}),
              R"({"class_name":"Lion","config":{"learning_rate":0.001,"beta_1":0.9,"beta_2":0.99,)" + none);
  const std::string with_extras = written(AnyOptimizer(SGD{}, {.exclude_from_weight_decay = {"bias"},
                                                               .learning_rate_multipliers = {{"a", 2}},
                                                               .use_ema = true,
                                                               .ema_momentum = 0.5,
                                                               .ema_overwrite_frequency = 3}));
  EXPECT_NE(with_extras.find(R"("extras":{"exclude_from_weight_decay":["bias"],"learning_rate_multipliers":{"a":2.0},)"
                             R"("use_ema":true,"ema_momentum":0.5,"ema_overwrite_frequency":3}})"),
            std::string::npos);
  EXPECT_EQ(written(value_of<AnyOptimizer>(parse_json(with_extras))), with_extras);
}

TEST(Options, OfLossesComeBack) {
  const Tensor p = Tensor::matrix({{0.5, 0.25}, {0.125, 0.5}}), y = Tensor::matrix({{1, 0}, {0, 1}});
  for (const AnyLoss& loss : {AnyLoss(BinaryCrossentropy{.from_logits = true, .label_smoothing = 0.5}),
                              AnyLoss(CategoricalCrossentropy{.label_smoothing = 0.5}), AnyLoss(Huber{.delta = 0.25}),
                              AnyLoss(BinaryFocalCrossentropy{true, 0.5, 3, true, 0.25}),
                              AnyLoss(CategoricalFocalCrossentropy{0.5, 3, true, 0.25})}) {
    const AnyLoss again = value_of<AnyLoss>(parse_json(written(loss)));
    Tape tape(Mode::inference);
    EXPECT_EQ(again(tape.input(p), y).item(), loss(tape.input(p), y).item()) << written(loss);
  }
  expect_trip(AnyLoss(SparseCategoricalCrossentropy{.from_logits = true}),
              R"({"class_name":"SparseCategoricalCrossentropy","config":{"from_logits":true,"label_smoothing":0.0}})");
}

TEST(Options, OfMetricsComeBack) {
  expect_trip(AnyMetric(Accuracy{}), R"({"class_name":"Accuracy","config":{}})");
  expect_trip(AnyMetric(BinaryAccuracy{.threshold = 0.25}),
              R"({"class_name":"BinaryAccuracy","config":{"threshold":0.25}})");
  expect_trip(AnyMetric(CategoricalAccuracy{}), R"({"class_name":"CategoricalAccuracy","config":{}})");
  expect_trip(AnyMetric(SparseCategoricalAccuracy{}), R"({"class_name":"SparseCategoricalAccuracy","config":{}})");
  expect_trip(AnyMetric(TopKAccuracy{.k = 3}), R"({"class_name":"TopKAccuracy","config":{"k":3}})");
  expect_trip(AnyMetric(Precision{.class_id = 1}),
              R"({"class_name":"Precision","config":{"class_id":1,"threshold":null,"top_k":null,"average":null,)"
              R"("one_of_n":false}})");
  expect_trip(AnyMetric(Recall{.threshold = 0.25, .average = Recall::weighted}),
              R"({"class_name":"Recall","config":{"class_id":null,"threshold":0.25,"top_k":null,)"
              R"("average":"weighted","one_of_n":false}})");
  expect_trip(AnyMetric(F1Score{.top_k = 2, .average = F1Score::none}),
              R"({"class_name":"F1Score","config":{"class_id":null,"threshold":null,"top_k":2,"average":"none",)"
              R"("one_of_n":false}})");
  expect_trip(AnyMetric(F1Score{.one_of_n = true}),
              R"({"class_name":"F1Score","config":{"class_id":null,"threshold":null,"top_k":null,"average":null,)"
              R"("one_of_n":true}})");
  expect_trip(AnyMetric(AUC{.num_thresholds = 200, .curve = AUC::PR}),
              R"({"class_name":"AUC","config":{"num_thresholds":200,"curve":"PR","from_logits":false}})");
  expect_trip(AnyMetric(MeanIoU{.num_classes = 3}),
              R"({"class_name":"MeanIoU","config":{"num_classes":3,"ignore_class":null,"sparse_y_true":true,)"
              R"("sparse_y_pred":true}})");
  expect_trip(AnyMetric(RootMeanSquaredError{}), R"({"class_name":"RootMeanSquaredError","config":{}})");
  expect_trip(AnyMetric(R2Score{.class_aggregation = R2Score::variance_weighted_average}),
              R"({"class_name":"R2Score","config":{"class_aggregation":"variance_weighted_average",)"
              R"("num_regressors":0}})");
  const AnyMetric by_loss = Huber{.delta = 2};
  expect_trip(by_loss, R"({"class_name":"Huber","config":{"delta":2.0}})");
  EXPECT_EQ(value_of<AnyMetric>(parse_json(written(by_loss))).name(), "huber");
}

// ---- The visitor ----

struct Everything {
  bool truth = false;
  int small = 0;
  Index index = 0;
  std::uint64_t natural = 0;
  double real = 0;
  float single = 0;
  std::string text{};
  Shape shape{};
  std::optional<double> maybe{};
  std::vector<std::string> list{};
  std::map<std::string, Index> named{};

  void options(auto& visit) {
    visit("truth", truth);
    visit("small", small);
    visit("index", index);
    visit("natural", natural);
    visit("real", real);
    visit("single", single);
    visit("text", text);
    visit("shape", shape);
    visit("maybe", maybe);
    visit("list", list);
    visit("named", named);
  }
};

TEST(OptionVisitor, ReadsWhatItWrote) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Everything wanted{true,   -3,  Index{1} << 60, ~std::uint64_t{0}, -infinity, 0.1F, "a\"b",
                          {2, 0}, 0.1, {"x", ""},      {{"k", 5}}};
  const Json json = parse_json(to_string(detail::written_options(wanted)));
  Everything got;
  OptionVisitor visit(json);
  got.options(visit);
  EXPECT_NO_THROW(visit.require_all_read());
  EXPECT_EQ(to_string(detail::written_options(got)), to_string(json));
  EXPECT_EQ(got.natural, wanted.natural);
  EXPECT_EQ(got.real, -infinity);
  EXPECT_EQ(got.single, 0.1F);
  EXPECT_EQ(got.shape, wanted.shape);
}

TEST(OptionVisitor, KeepsMissingOptionsAndReportsUnknownOnes) {
  Everything got{.index = 7};
  const Json json = parse_json(R"({"real":3,"more":1})");
  OptionVisitor visit(json);
  got.options(visit);
  EXPECT_EQ(got.index, 7);
  EXPECT_EQ(got.real, 3);
  expect_error<FormatError>([&] { visit.require_all_read(); }, "there is no option \"more\" in this version");
}

TEST(OptionVisitor, SaysWhichOptionDoesNotFit) {
  const auto refused = [](const char* text, const char* error) {
    const Json json = parse_json(text);
    Everything got;
    OptionVisitor visit(json);
    expect_error<FormatError>([&] { got.options(visit); }, error);
  };
  refused(R"({"truth":1})", "truth: a whole number where true or false is required");
  refused(R"({"small":4294967296})", "small: 4294967296 is out of range");
  refused(R"({"index":1.5})", "index: a number where a whole number is required");
  refused(R"({"real":"x"})", "real: \"x\" where a number is required");
  refused(R"({"text":null})", "text: null where a string is required");
  refused(R"({"list":{}})", "list: an object where a list is required");
  refused(R"({"list":[1]})", "list: a whole number where a string is required");
  refused(R"({"named":[]})", "named: a list where an object is required");
  const Json negative = parse_json(R"({"shape":[-1]})");
  Everything got;
  OptionVisitor visit(negative);
  expect_error<ShapeError>([&] { got.options(visit); }, "shape: shape (-1,) has a negative dimension");
  Padding padding{};
  expect_error<FormatError>([&] { from_json(Json("full"), padding); },
                            "\"full\" where one of \"valid\", \"same\", \"causal\" is required");
  Size2D size = 1;
  expect_error<FormatError>([&] { from_json(parse_json("[1,2,3]"), size); },
                            "a list of 3 where height and width are required");
}

TEST(OptionVisitor, StoresTensorsSeparatelyFromTheJson) {
  std::vector<Tensor> tensors;
  OptionVisitor visit(&tensors);
  std::vector<Tensor> a{Tensor::vector({1, 2}), Tensor::scalar(3)}, b{Tensor::vector({4})};
  visit("a", a);
  visit.within("inside", [&](OptionVisitor& inside) { inside("b", b); });
  const Json json = std::move(visit).written();
  EXPECT_EQ(to_string(json), R"({"a":[0,1],"inside":{"b":[2]}})");
  std::vector<Tensor> got;
  OptionVisitor read(json, &tensors);
  read.within("inside", [&](OptionVisitor& inside) { inside("b", got); });
  EXPECT_EQ(got, b);
  read("a", got);
  EXPECT_EQ(got, a);
  tensors.pop_back();
  OptionVisitor missing(json, &tensors);
  expect_error<FormatError>([&] { missing.within("inside", [&](OptionVisitor& inside) { inside("b", got); }); },
                            "inside: b: there is no tensor 2");
  OptionVisitor without;
  expect_error<ValueError>([&] { without("a", a); }, "a: tensors cannot be options here");
}

}  // namespace
}  // namespace cornu
