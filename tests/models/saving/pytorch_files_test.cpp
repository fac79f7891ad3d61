#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/examples/interop/networks.h"
#include "cornu/formats/tensor_file.h"
#include "cornu/tests/models/saving/interop_support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

// load_weights with the files that torch.save wrote: tests/formats/fixtures/pytorch/files.py.

namespace cornu {
namespace {

using namespace cornu::testing;

const std::string pt_networks = source_path("tests/models/fixtures/pytorch/");
const std::string pt_files = source_path("tests/formats/fixtures/pytorch/");

class LoadWeightsOfPyTorchFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
  }

  /// The network of most fixtures.
  Sequential small{Input{2}, Dense{3}, BatchNormalization{}, Dense{1}};
};

TEST_F(LoadWeightsOfPyTorchFiles, NetworksPredictWhatTheyPredictInPyTorch) {
  const SafetensorsFile samples(pt_networks + "samples.safetensors");
  for (const char* const name : {"cnn", "lstm"}) {
    SCOPED_TRACE(name);
    const interop::Network& network = interop::networks().at(name);
    Sequential model = network.make(1), same = network.make(2);
    EXPECT_TRUE(model.load_weights(pt_networks + name + ".pt", {.rename = network.rename}));
    const Tensor expected = samples.tensor(std::string(name) + ".y");
    const Tensor got = model.predict(samples.tensor(std::string(name) + ".x"));
    ASSERT_EQ(got.shape(), expected.shape());
    for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
    same.load_weights(pt_networks + name + ".pytorch.safetensors", {.names = Names::pytorch, .rename = network.rename});
    EXPECT_EQ(model.get_weights(), same.get_weights());
  }
}

TEST_F(LoadWeightsOfPyTorchFiles, TheSameWeightsAreReadFromEveryForm) {
  ASSERT_TRUE(small.load_weights(pt_files + "checkpoint.pth"));
  const std::vector<Tensor> weights = small.get_weights();
  for (const char* const file : {"plain.pt", "data_parallel.pt"}) {
    Sequential other{Input{2}, Dense{3}, BatchNormalization{}, Dense{1}};
    EXPECT_TRUE(other.load_weights(pt_files + file)) << file;
    EXPECT_EQ(other.get_weights(), weights) << file;
  }
  ASSERT_TRUE(small.load_weights(pt_files + "protocol2.pt"));
  const std::vector<Tensor> before = small.get_weights();
  EXPECT_NE(before, weights);  // those before a step of the optimizer
  for (const char* const file : {"protocol3.pt", "protocol4.pt", "protocol5.pt"}) {
    Sequential other{Input{2}, Dense{3}, BatchNormalization{}, Dense{1}};
    EXPECT_TRUE(other.load_weights(pt_files + file)) << file;
    EXPECT_EQ(other.get_weights(), before) << file;
  }
}

TEST_F(LoadWeightsOfPyTorchFiles, EveryElementTypeIsConverted) {
  const NamedTensors file = detail::TensorFile(pt_files + "views.pt").content();
  for (const char* const name : {"double", "half", "bfloat", "i64"}) EXPECT_NE(file.find(name), nullptr);
  Sequential model{Input{3}, {"fc", Dense{.units = 1, .use_bias = false}}};
  const detail::TensorFile views(pt_files + "views.pt");
  EXPECT_EQ(views.content().tensor("half"), Tensor::vector({Real(0.333251953125), -65504, Real(0x1p-24)}));
  EXPECT_EQ(views.content().tensor("bfloat")[0], Real(0.333984375));
  EXPECT_EQ(views.content().tensor("double")[0], static_cast<Real>(1.0 / 3));
  EXPECT_EQ(views.content().tensor("bool"), Tensor::matrix({{1, 0}, {0, 1}}));
}

TEST_F(LoadWeightsOfPyTorchFiles, ThatDoNotFitChangeNothing) {
  Sequential model{Input{2}, Dense{4}, Dense{1}};
  const std::vector<Tensor> before = model.get_weights();
  const std::string path = pt_files + "plain.pt";
  expect_error<ValueError>([&] { model.load_weights(path); },
                           path +
                               ": the weights do not fit: unexpected: 1.running_mean, 1.running_var, "
                               "1.num_batches_tracked, 2.weight, 2.bias\n"
                               "mismatched: 0.weight of dense is (4, 2), the file has (3, 2), 0.bias of dense is "
                               "(4,), the file has (3,), 1.weight of dense_1 is (1, 4), the file has (3,), 1.bias "
                               "of dense_1 is (1,), the file has (3,)");
  expect_error<ValueError>([&] { small.load_weights(path, {.names = Names::cornu}); },
                           path +
                               ": the weights do not fit: missing: dense/kernel, dense/bias, "
                               "batch_normalization/gamma, batch_normalization/beta, "
                               "batch_normalization/moving_mean, batch_normalization/moving_variance, "
                               "dense_1/kernel, dense_1/bias\n"
                               "unexpected: 0.weight, 0.bias, 1.weight, 1.bias, 1.running_mean, 1.running_var, "
                               "1.num_batches_tracked, 2.weight, 2.bias\n"
                               "all weights fit under other names: did you mean .names = Names::pytorch?");
  EXPECT_EQ(model.get_weights(), before);
}

TEST_F(LoadWeightsOfPyTorchFiles, AStateDictIsNoModel) {
  const std::string path = pt_files + "plain.pt";
  expect_error<FormatError>([&] { Sequential::load(path); },
                            path +
                                ": this is a PyTorch checkpoint; it has weights but no layers: build the model and "
                                "call its load_weights, or make a model for onnx::load with torch.onnx.export in "
                                "Python");
  expect_error<FormatError>([&] { small.load_weights(pt_files + "module.pt"); },
                            pt_files +
                                "module.pt: data.pkl: byte 2: it needs Python's torch.nn.modules.container.Sequential, "
                                "and Cornu runs no code from files; in Python, torch.save(model.state_dict(), FILE) "
                                "writes the weights alone");
}

// ---- Names that DataParallel and torch.compile write, in every format ----

class WrappedNames : public ::testing::Test {
 protected:
  std::vector<Real> order(Sequential model, const Texts& tensors, const LayerNames& rename = {}) {
    return order_of(model, path, tensors, {.names = Names::pytorch, .rename = rename});
  }
  TemporaryFolder folder;
  std::string path = (folder / "w").string();
};

TEST_F(WrappedNames, AreMatchedWithoutTheWrapper) {
  const Sequential two{Input{2}, Dense{2}, Dense{.units = 2, .use_bias = false}};
  const Sequential named{Input{2}, {"b", Dense{2}}, {"a", Dense{.units = 2, .use_bias = false}}};
  for (const std::string wrapper : {"", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."}) {
    SCOPED_TRACE(wrapper);
    EXPECT_EQ(order(two, {wrapper + "1.weight", wrapper + "0.weight", wrapper + "0.bias"}),
              (std::vector<Real>{1, 2, 0}));
    EXPECT_EQ(order(named, {wrapper + "a.weight", wrapper + "b.weight", wrapper + "b.bias"}),
              (std::vector<Real>{1, 2, 0}));
    const Texts parts{wrapper + "head.weight", wrapper + "body.weight", wrapper + "body.bias"};
    EXPECT_EQ(order(two, parts, {{"dense", "body"}, {"dense_1", "head"}}), (std::vector<Real>{1, 2, 0}));
    EXPECT_EQ(order(two, parts, {{"dense", wrapper + "body"}, {"dense_1", wrapper + "head"}}),
              (std::vector<Real>{1, 2, 0}));
  }
}

TEST_F(WrappedNames, OfTheModelsOwnModulesAreKept) {
  const Sequential own{Input{2}, {"module", Sequential{{"b", Dense{2}}, {"a", Dense{.units = 2, .use_bias = false}}}}};
  const Texts names{"module.1.weight", "module.0.weight", "module.0.bias"};
  EXPECT_EQ(order(own, names), (std::vector<Real>{1, 2, 0}));
  const Sequential other{Input{2}, {"x", Sequential{Dense{2}, Dense{.units = 2, .use_bias = false}}}};
  EXPECT_EQ(order(other, names, {{"x", "module"}}), (std::vector<Real>{1, 2, 0}));
}

}  // namespace
}  // namespace cornu
