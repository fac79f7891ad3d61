#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cornu/models/sequential.h"
#include "cornu/onnx/description.h"
#include "cornu/onnx/model.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/onnx/support.h"

/// Graphs as exporters write them, with values from PyTorch or NumPy: tests/onnx/fixtures/exporters, written by
/// make_exporters_torch.py, _dynamo.py and _tensorflow.py. NAME.values.onnx has the inputs and outputs.
namespace cornu {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> exported_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(testing::source_path("tests/onnx/fixtures/exporters"))) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".onnx" && !name.ends_with(".values.onnx")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::map<std::string, onnx::Array> values_of(fs::path file) {
  return onnx::load(file.replace_extension(".values.onnx")).run_exact({});
}

TEST(OnnxExporters, GraphsHaveTheRightValues) {
  const std::vector<fs::path> files = exported_files();
  EXPECT_GE(files.size(), 25U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.filename().string());
    const onnx::Description description = onnx::describe(file);
    EXPECT_EQ(description.unsupported, std::vector<std::string>{});
    EXPECT_FALSE(description.nodes.empty());
    const std::map<std::string, onnx::Array> values = values_of(file);
    const onnx::Model model = onnx::load(file);
    std::map<std::string, onnx::Array> inputs;
    for (const onnx::Port& port : model.inputs()) inputs.emplace(port.name, values.at(port.name));
    const std::map<std::string, onnx::Array> outputs = model.run_exact(inputs);
    EXPECT_EQ(inputs.size() + outputs.size(), values.size());
    for (const auto& [name, output] : outputs) {
      SCOPED_TRACE(name);
      ASSERT_EQ(output.index(), values.at(name).index());
      if (const auto* const real = std::get_if<Tensor>(&output)) {
        testing::expect_close(*real, std::get<Tensor>(values.at(name)));
      } else {
        EXPECT_EQ(output, values.at(name));
      }
    }
  }
}

/// The squared length of the change of all parameters.
double change(const Sequential& a, const Sequential& b) {
  Sequential first = a, second = b;
  const NamedParameters from = first.parameters(), to = second.parameters();
  double sum = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    for (Index k = 0; k < from[i].parameter->value.size(); ++k) {
      const double d =
          static_cast<double>(from[i].parameter->value[k]) - static_cast<double>(to[i].parameter->value[k]);
      sum += d * d;
    }
  }
  return sum;
}

/// A small step of gradient descent by d reduces the loss by d^2 / learning rate, whatever the graph.
TEST(OnnxExporters, GraphsOfOneInputLearn) {
  int trained = 0;
  for (const fs::path& file : exported_files()) {
    SCOPED_TRACE(file.filename().string());
    const onnx::Model model = onnx::load(file);
    if (model.inputs().size() != 1 || model.outputs().size() != 1 || model.inputs()[0].type != "float") continue;
    if (model.inputs()[0].shape->front() != -1) continue;  // for one size of batch
    const std::map<std::string, onnx::Array> values = values_of(file);
    const Tensor& x = std::get<Tensor>(values.at(model.inputs()[0].name));
    Tensor y = std::get<Tensor>(values.at(model.outputs()[0].name));
    for (Index i = 0; i < y.size(); ++i) y[i] += static_cast<Real>(std::cos(i));
    double ratio = 0, learning_rate = 1e-4, before = 0, after = 0;
    for (; learning_rate < 1e3; learning_rate *= 4) {
      Sequential net{model};
      net.compile({.optimizer = SGD{.learning_rate = learning_rate}, .loss = MeanSquaredError{}});
      const Sequential start = net;
      before = net.evaluate(x, y)["loss"];
      net.train_on_batch(x, y);
      after = net.evaluate(x, y)["loss"];
      ratio = (before - after) / (change(start, net) / learning_rate);
      if (before - after > 1e-4 * before) break;
    }
    EXPECT_NEAR(ratio, 1, 0.1) << before << " to " << after << " at " << learning_rate;
    ++trained;
  }
  EXPECT_GE(trained, 12);
}

}  // namespace
}  // namespace cornu
