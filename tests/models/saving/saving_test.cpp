#include "cornu/models/saving/saving.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "cornu/core/error.h"
#include "cornu/formats/json.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/freeze.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/registry.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reset_parameters.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/registry.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/temporary_folder.h"

// Models in files: what is restored, and the errors for what cannot be.

namespace cornu {
namespace {

using testing::blobs;
using testing::classifier;
using testing::error_of;
using testing::expect_error;
using testing::normal;
using testing::TemporaryFolder;

/// A layer that files know only if it is registered.
struct Stretch {
  Real factor = 1;
  Parameter scale{};

  Shape build(const Shape& input, Rng&) {
    scale.value = Tensor::full(input, factor);
    return input;
  }
  Var forward(Var x) const { return x * scale; }
  NamedParameters parameters() { return {{"scale", &scale}}; }
  void options(auto& visit) { visit("factor", factor); }
};

/// A layer that is never registered.
struct Unknown : Stretch {};

Var logistic_mish(Var x) { return x * tanh(log(exp(x) + 1)); }
Var unnamed(Var x) { return x * x; }

TEST(Saving, ALoadedModelPredictsTheSameBits) {
  const TemporaryFolder folder;
  register_layer<Stretch>();
  register_activation("logistic_mish", logistic_mish);
  const Sequential inner({Dense{6, logistic_mish}, Activation{tanh}, Stretch{.factor = 3}},
                         {.name = "inner", .seed = 3});
  const Sequential model({Input{8, 8, 1},
                          Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::same},
                          MaxPooling2D{},
                          {"pool", AveragePooling2D{.strides = 1}},
                          ReLU{},
                          Reshape{9, -1},
                          Flatten{},
                          inner,
                          Dropout{0.2},
                          Sigmoid{},
                          Tanh{},
                          Dense{3, softmax}},
                         {.name = "all", .seed = std::uint64_t{1} << 63});
  model.save(folder / "m.safetensors");
  const Sequential loaded = Sequential::load(folder / "m.safetensors");
  const Tensor x = normal({5, 8, 8, 1});
  EXPECT_EQ(loaded.predict(x), model.predict(x));
  EXPECT_EQ(to_string(loaded), to_string(model));
  EXPECT_EQ(loaded.name(), "all");
  EXPECT_FALSE(loaded.compiled());
  ASSERT_NE(loaded.get_layer("inner").as<Sequential>(), nullptr);
  EXPECT_EQ(loaded.get_layer("inner").as<Sequential>()->get_layer("stretch").as<Stretch>()->factor, 3);

  // The seed was restored: built again, both start with the same weights.
  Sequential again = loaded, original = model;
  reset_parameters(again);
  reset_parameters(original);
  again.build({8, 8, 1});
  original.build({8, 8, 1});
  EXPECT_EQ(again.get_weights(), original.get_weights());
}

TEST(Saving, AModelWithoutAnInputKeepsTheShapeItWasBuiltFor) {
  const TemporaryFolder folder;
  Sequential model{Dense{2}};
  expect_error<StateError>(
      [&] { model.save(folder / "m"); },
      (folder / "m").string() +
          ": sequential: not built, because its input shape is unknown; begin with an Input, or call build or fit");
  model.build({3});
  model.save(folder / "m");
  Sequential loaded = Sequential::load(folder / "m");
  EXPECT_EQ(loaded.predict(normal({2, 3})), model.predict(normal({2, 3})));
  reset_parameters(loaded);
  EXPECT_NO_THROW(loaded.build({4}));  // without an Input, any shape is possible
}

TEST(Saving, RestoresTheCompileSettings) {
  const TemporaryFolder folder;
  Sequential model = classifier();
  model.compile(
      {.optimizer = {Adam{.learning_rate = LinearWarmup{.learning_rate = CosineDecay{0.1, 100}, .warmup_steps = 7}},
                     {.exclude_from_weight_decay = {"bias"}, .learning_rate_multipliers = {{"dense", 0.5}}}},
       .loss = SparseCategoricalCrossentropy{.label_smoothing = 0.25},
       .metrics = {Accuracy{}, Precision{.class_id = 2}, SparseCategoricalCrossentropy{}}});
  model.save(folder / "m");
  const Sequential loaded = Sequential::load(folder / "m");
  const TensorDataset data = blobs(30);
  const Logs a = model.test_on_batch(data.x(), data.y()), b = loaded.test_on_batch(data.x(), data.y());
  EXPECT_EQ(a.names(), b.names());
  for (const Logs::Entry& entry : a) EXPECT_EQ(entry.value, b[entry.name]) << entry.name;
  loaded.save(folder / "again");
  std::ifstream first(folder / "m", std::ios::binary), second(folder / "again", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(first), {}),
            std::string(std::istreambuf_iterator<char>(second), {}));
  EXPECT_FALSE(Sequential::load(folder / "m", {.compile = false}).compiled());
}

TEST(Saving, FrozenParametersStayFrozen) {
  const TemporaryFolder folder;
  Sequential model = classifier();
  freeze(model.get_layer("dense"));
  model.save(folder / "m");
  Sequential loaded = Sequential::load(folder / "m");
  const TensorDataset data = blobs(30);
  loaded.fit(data, {.verbose = Verbose::silent});
  EXPECT_EQ(loaded.get_weights()[0], model.get_weights()[0]);
  unfreeze(loaded);
  loaded.fit(data, {.verbose = Verbose::silent});
  EXPECT_NE(loaded.get_weights()[0], model.get_weights()[0]);
}

TEST(Saving, DistinguishesTrainableFromFrozen) {
  const TemporaryFolder folder;
  Sequential model{Input{4}, {"norm", BatchNormalization{.center = false, .scale = false}}, Dense{3}};
  model.get_layer("dense").as<Dense>()->bias.trainable = false;  // set by a user
  freeze(model);
  model.save(folder / "m");
  Sequential loaded = Sequential::load(folder / "m");
  const auto flags = [&] {
    std::string text;
    for (const NamedParameter& named : loaded.parameters()) {
      text += named.name + (named.parameter->trainable ? " trainable" : "") +
              (named.parameter->frozen ? " frozen; " : "; ");
    }
    return text;
  };
  EXPECT_EQ(flags(),
            "norm/moving_mean frozen; norm/moving_variance frozen; dense/kernel trainable frozen; dense/bias frozen; ");
  unfreeze(loaded);
  EXPECT_EQ(flags(), "norm/moving_mean; norm/moving_variance; dense/kernel trainable; dense/bias; ");
  loaded.save(folder / "m");
  loaded = Sequential::load(folder / "m");
  EXPECT_EQ(flags(), "norm/moving_mean; norm/moving_variance; dense/kernel trainable; dense/bias; ");
}

TEST(Saving, ErrorsSayWhatHasNoName) {
  const TemporaryFolder folder;
  const std::string path = (folder / "m").string();
  const Sequential with_layer{Input{2}, {"mine", Unknown{}}};
  expect_error<ValueError>([&] { with_layer.save(path); },
                           path +
                               ": layers: mine (Unknown): a layer of a type that is not registered cannot be saved; "
                               "register_layer<TheType>() registers it");
  const Sequential with_function{Input{2}, Dense{2, unnamed}};
  expect_error<ValueError>([&] { with_function.save(path); },
                           path +
                               ": layers: dense (Dense): activation: a function without a name cannot be saved; "
                               "register_activation(\"name\", function) gives it one");
  const Sequential with_initializer{Input{2}, Dense{.units = 2, .kernel_initializer = [](View, Rng&) {}}};
  EXPECT_NE(error_of<ValueError>([&] {
              with_initializer.save(path);
            }).find("dense (Dense): kernel_initializer: an initializer: "),
            std::string::npos);
  Sequential with_loss{Input{2}, Dense{2}};
  with_loss.compile({.loss = [](Var p, Var y) { return mean(abs(p - y), -1); }});
  expect_error<ValueError>(
      [&] { with_loss.save(path); },
      path +
          ": the loss: a loss of a type that is not registered cannot be saved; register_loss<TheType>() registers it; "
          "or save without the optimizer: .include_optimizer = false");
  with_loss.compile({.optimizer = SGD{.learning_rate = [](Index) { return 0.1; }}, .loss = MeanSquaredError{}});
  EXPECT_NE(error_of<ValueError>([&] {
              with_loss.save(path);
            }).find("the optimizer: learning_rate: the learning rate: a schedule"),
            std::string::npos);
  EXPECT_TRUE(folder.names().empty());
  with_loss.save(path, {.include_optimizer = false});
  EXPECT_FALSE(Sequential::load(path).compiled());
}

TEST(Saving, ErrorsSayWhatIsNotRegisteredOnLoading) {
  const TemporaryFolder folder;
  const std::string path = (folder / "m").string();
  register_layer<Stretch>();
  Sequential{Input{2}, Stretch{}}.save(path);
  // As if another program had registered the layer and written the file.
  const SafetensorsFile file(path);
  SafetensorsMetadata metadata = file.metadata();
  std::string& json = metadata.find("cornu.model")->second;
  json.replace(json.find("\"Stretch\""), 9, "\"Squeeze\"");
  write_safetensors(path, file.tensors(), metadata);
  expect_error<FormatError>([&] { Sequential::load(path); },
                            path +
                                ": layers: stretch: there is no layer called \"Squeeze\" here; if it is your own, "
                                "register it before loading: register_layer<Squeeze>()");
}

TEST(Saving, ANameBelongsToOneType) {
  register_layer<Stretch>();
  EXPECT_NO_THROW(register_layer<Stretch>());
  expect_error<ValueError>([] { register_layer<testing::Scale>("Stretch"); },
                           "register_layer: cannot add \"Stretch\": \"Stretch\" is registered already (a layer has one "
                           "name, and each name belongs to one layer)");
  expect_error<ValueError>([] { register_layer<Stretch>("Other"); },
                           "register_layer: cannot add \"Other\": \"Stretch\" is registered already (a layer has one "
                           "name, and each name belongs to one layer)");
  expect_error<ValueError>([] { register_activation("relu", unnamed); },
                           "register_activation: \"relu\" is registered already");
}

// ---- Files that are not models, or are corrupt ----

class BrokenModel : public ::testing::Test {
 public:
  /// A model's file with its JSON and tensors changed.
  void write(const std::function<void(std::string&, std::vector<RawTensor>&)>& change) const {
    const Sequential model = classifier(Adam{});
    model.save(folder / "whole");
    const SafetensorsFile file(folder / "whole");
    SafetensorsMetadata metadata = file.metadata();
    std::vector<RawTensor> tensors = file.tensors();
    change(metadata.find("cornu.model")->second, tensors);
    write_safetensors(path, tensors, metadata);
  }
  void expect(const std::string& text) const {
    EXPECT_EQ(error_of<Error>([&] { Sequential::load(path); }), path + ": " + text);
  }
  void replaced(const std::string& from, const std::string& to, const std::string& text) const {
    write([&](std::string& json, auto&) {
      ASSERT_NE(json.find(from), std::string::npos) << from << " in " << json;
      json.replace(json.find(from), from.size(), to);
    });
    expect(text);
  }

 protected:
  TemporaryFolder folder;
  std::string path = (folder / "broken").string();
};

TEST_F(BrokenModel, ErrorsSayWhatIsWrong) {
  replaced("\"version\":1", "\"version\":2", "version 2 of the format; this program knows those up to 1");
  replaced("\"version\":1,", "", "there is no \"version\" in an object");
  replaced("\"Sequential\"", "\"Forest\"", "this is a Forest, not a Sequential");
  replaced("\"units\":8", "\"units\":\"8\"", "layers: dense: Dense: units: a string where a whole number is required");
  replaced("\"units\":8", "\"units\":8,\"rows\":1",
           "layers: dense: Dense: there is no option \"rows\" in this version");
  replaced("\"activation\":\"relu\"", "\"activation\":\"rely\"",
           "layers: dense: Dense: activation: there is no activation called \"rely\" here; if it is your own, register "
           "it before loading: register_activation(\"rely\", function)");
  replaced("\"units\":8", "\"units\":0", "dense: Dense: units is 0; it must be positive");
  replaced("\"units\":8", "\"units\":7",
           "the weights do not fit: mismatched: dense/kernel is (2, 7), the file has (2, 8), dense/bias is (7,), the "
           "file has (8,), dense_1/kernel is (7, 3), the file has (8, 3)");
  replaced("\"beta_1\":0.9", "\"beta_1\":1.9", "Adam: beta_1 is 1.9; it must be in [0, 1)");
  replaced("\"layers\":[", "\"layers\":[[],", "layers: there is no \"name\" in a list");
  write([](std::string& json, auto&) { json.resize(json.size() - 1); });
  EXPECT_TRUE(error_of<FormatError>([&] { Sequential::load(path); }).starts_with(path + ": JSON: "));
  write([](auto&, std::vector<RawTensor>& tensors) {
    std::erase_if(tensors, [](const RawTensor& tensor) { return tensor.name == "dense/bias"; });
    tensors.push_back({"more", Dtype::f32, {0}, {}});
  });
  expect("the weights do not fit: missing: dense/bias\nunexpected: more");
}

TEST_F(BrokenModel, AnotherFileIsNotAModel) {
  write_safetensors(path, {});
  expect("its metadata has no \"cornu.model\"; to read weights alone, use load_weights");
}

TEST_F(BrokenModel, TheOptimizersStateMustBeComplete) {
  Sequential model = classifier(Adam{});
  const TensorDataset data = blobs(8);
  model.train_on_batch(data.x(), data.y());
  model.save(path);
  const SafetensorsFile file(path);
  std::vector<RawTensor> tensors = file.tensors();
  std::erase_if(tensors, [](const RawTensor& tensor) { return tensor.name == "optimizer/dense/bias/1"; });
  write_safetensors(path, tensors, file.metadata());
  expect("there is no \"optimizer/dense/bias/1\", which the optimizer needs");
  EXPECT_NO_THROW(Sequential::load(path, {.compile = false}));
}

// ---- Weights alone ----

TEST(SavedWeights, AreMatchedByName) {
  const TemporaryFolder folder;
  const Sequential model = classifier();
  model.save_weights(folder / "w");
  Sequential other({Input{2}, Dense{8, tanh}, Dense{3}}, {.seed = 9});
  ASSERT_NE(other.get_weights(), model.get_weights());
  EXPECT_TRUE(other.load_weights(folder / "w"));
  EXPECT_EQ(other.get_weights(), model.get_weights());
  model.save(folder / "m");  // the weights in a model's file can also be read alone
  other.build({2});
  EXPECT_TRUE(other.load_weights(folder / "m"));
  EXPECT_EQ(other.get_weights(), model.get_weights());
}

TEST(SavedWeights, MismatchesAreReportedAndNothingIsChanged) {
  const TemporaryFolder folder;
  const std::string path = (folder / "w").string();
  Sequential({Input{2}, Dense{8}, {"head", Dense{3}}, {"gone", Dense{1, linear, false}}}, {.seed = 4})
      .save_weights(path);
  Sequential model{Input{2}, Dense{8}, {"head", Dense{4}}, {"new", Dense{1}}};
  const std::vector<Tensor> before = model.get_weights();
  expect_error<ValueError>([&] { model.load_weights(path); },
                           path +
                               ": the weights do not fit: missing: new/kernel, new/bias\n"
                               "unexpected: gone/kernel\n"
                               "mismatched: head/kernel is (8, 4), the file has (8, 3), head/bias is (4,), the file "
                               "has (3,)");
  EXPECT_EQ(model.get_weights(), before);
  const WeightsReport report = model.load_weights(path, {.strict = false});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.missing, (std::vector<std::string>{"new/kernel", "new/bias"}));
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"gone/kernel"});
  EXPECT_EQ(report.mismatched.size(), 2U);
  EXPECT_NE(model.get_weights()[0], before[0]);
  EXPECT_EQ(model.get_weights()[2], before[2]);
}

TEST(SavedWeights, OfAnyTypeAreRead) {
  const TemporaryFolder folder;
  const std::vector<std::uint16_t> kernel{0x3c00, 0x4000};  // 1 and 2 in half precision
  const std::vector<std::int8_t> bias{-3};
  write_safetensors(folder / "w",
                    std::array<RawTensor, 2>{{{"dense/kernel", Dtype::f16, {2, 1}, std::as_bytes(std::span(kernel))},
                                              {"dense/bias", Dtype::i8, {1}, std::as_bytes(std::span(bias))}}});
  Sequential model{Input{2}, Dense{1}};
  model.load_weights(folder / "w");
  EXPECT_EQ(model.predict(Tensor::matrix({{1, 1}})).item(), 0);
}

// ---- Disks ----

TEST(Saving, AFullDiskOrAMissingFolderKeepsTheOldFile) {
  const TemporaryFolder folder;
  const Sequential small = classifier(), large{Input{100}, Dense{1000}};
  small.save(folder / "m");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = 20'000, .rlim_max = before.rlim_max};  // simulates a full disk
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string text = error_of<FileError>([&] { large.save(folder / "m"); });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  EXPECT_EQ(text, (folder / "m").string() + ": cannot be written (File too large)");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m"});
  EXPECT_EQ(Sequential::load(folder / "m").get_weights(), small.get_weights());
  const std::string nowhere = (folder / "none" / "m").string();
  expect_error<FileError>([&] { small.save(nowhere); },
                          nowhere + ": cannot create a file in its folder (No such file or directory)");
}

// ---- Versions ----

TEST(Saving, KeepsAFilesPermissionsAndTheLinkToIt) {
  const TemporaryFolder folder;
  Sequential model{Input{2}, Dense{1}};
  model.save(folder / "m");
  std::filesystem::permissions(folder / "m", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink("m", folder / "link");
  const std::vector<Tensor> weights{Tensor({2, 1}, {3, 4}), Tensor({1}, {5})};
  model.set_weights(weights);
  model.save(folder / "link");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(std::filesystem::status(folder / "m").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(Sequential::load(folder / "m").get_weights(), weights);
}

TEST(Saving, FilesOfAllVersionsCanBeLoaded) {
  const std::filesystem::path golden = testing::source_path("tests/models/golden");
  if (std::getenv("CORNU_WRITE_GOLDEN") != nullptr) {
    Sequential model{Input{4, 4, 1},
                     Conv2D{.filters = 2, .kernel_size = {2, 3}, .activation = relu},
                     Flatten{},
                     Dropout{0.25},
                     {"head", Dense{2, softmax}}};
    model.compile({.optimizer = {Adam{.learning_rate = ExponentialDecay{0.01, 10, 0.5}}, {.use_ema = true}},
                   .loss = SparseCategoricalCrossentropy{},
                   .metrics = {Accuracy{}}});
    model.train_on_batch(normal({4, 4, 4, 1}), testing::labels(4, 2));
    model.save(golden / "version_1.safetensors");
  }
  Sequential model = Sequential::load(golden / "version_1.safetensors");
  EXPECT_EQ(model.optimizer().iterations(), 1);
  EXPECT_EQ(model.optimizer().state().size(), 12U);
  const Tensor answer = model.predict(Tensor::full({1, 4, 4, 1}, 1));
  EXPECT_NEAR(static_cast<double>(answer[0]), 0.39771828, 1e-6);
}

}  // namespace
}  // namespace cornu
