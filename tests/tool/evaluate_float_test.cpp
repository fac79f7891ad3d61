#include <fmt/format.h>

#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

class EvaluateTool : public ToolTest {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
    small.model.save(folder / "m.safetensors");
    const std::vector<Index> shape{small.samples, 4, 6};
    const std::vector<RawTensor> arrays{
        {.name = "x_test", .dtype = Dtype::u8, .shape = shape, .bytes = std::as_bytes(std::span(small.pixels))},
        {.name = "y_test", .dtype = Dtype::u8, .shape{small.samples}, .bytes = std::as_bytes(std::span(small.labels))}};
    write_npz(folder / "data.npz", arrays);
    for (Index i = 0; i < 30 * 784; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 59 % 251));
    for (Index i = 0; i < 30; ++i) digits.push_back(static_cast<std::uint8_t>(i % 10));
  }

  /// Writes a folder like MNIST's.
  void write_mnist(const std::string& name) const {
    std::filesystem::create_directory(folder / name);
    write_idx(path(name + "/t10k-images-idx3-ubyte.gz"), {.dimensions{30, 28, 28}, .data = pixels});
    write_idx(path(name + "/t10k-labels.idx1-ubyte"), {.dimensions{30}, .data = digits});
  }

  static std::string text_of(const Logs& logs) {
    std::string text;
    for (const auto& [name, value] : logs) text += fmt::format("{}: {:.4f}\n", name, value);
    return text;
  }

  SmallModel small;
  std::vector<std::uint8_t> pixels, digits;
};

TEST_F(EvaluateTool, PrintsTheCompiledLossAndMetrics) {
  EXPECT_EQ(output("evaluate m.safetensors --data data.npz"), text_of(small.model.evaluate(small.data)));
}

TEST_F(EvaluateTool, ReadsMnistFilesForAnyInputShape) {
  write_mnist("mnist");
  const ImageDataset data(pixels, digits), flat(pixels, digits, {.shape{784}}),
      image(pixels, digits, {.shape{28, 28, 1}});
  const auto expect = [&](Sequential model, const ImageDataset& same) {
    model.compile({.loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
    model.save(folder / "n.safetensors");
    EXPECT_EQ(output("evaluate n.safetensors --mnist mnist"), text_of(model.evaluate(same)));
  };
  expect(Sequential({Input{28, 28}, Flatten{}, Dense{10, softmax}}, {.seed = 1}), data);
  expect(Sequential({Input{784}, Dense{10, softmax}}, {.seed = 2}), flat);
  expect(Sequential({Input{28, 28, 1}, Flatten{}, Dense{10, softmax}}, {.seed = 3}), image);
}

TEST_F(EvaluateTool, ConvertsLabelsToOneHotIfTheLossRequiresIt) {
  Sequential model = small.model;
  model.compile({.loss = CategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.save(folder / "n.safetensors");
  const OneHot data(small.data, 3);
  EXPECT_EQ(output("evaluate n.safetensors --data data.npz"), text_of(model.evaluate(data)));
}

TEST_F(EvaluateTool, PrintsTheAccuracyOfAModelThatIsNotCompiled) {
  small.model.save(folder / "n.safetensors", {.include_optimizer = false});
  const std::string expected = fmt::format("accuracy: {:.4f}\n", small.model.evaluate(small.data)["accuracy"]);
  EXPECT_EQ(output("evaluate n.safetensors --data data.npz"), expected);
#ifdef CORNU_HAS_ONNX
  output("convert m.safetensors m.onnx");
  EXPECT_EQ(output("evaluate m.onnx --data data.npz"), expected);
#endif
}

TEST_F(EvaluateTool, PrintsTheLossOfARegression) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.compile({.loss = MeanSquaredError{}});
  line.save(folder / "line.safetensors");
  const Tensor x = Tensor::matrix({{1, 2}, {3, 4}, {5, 6}}), y = Tensor::vector({1, 2, 3});
  write_npz(folder / "line.npz", std::vector<RawTensor>{raw_tensor("x", x), raw_tensor("y", y)});
  EXPECT_EQ(output("evaluate line.safetensors --data line.npz"), text_of(line.evaluate(x, y)));
}

TEST_F(EvaluateTool, ErrorsSayWhatIsMissing) {
  expect_failure("evaluate m.safetensors", "evaluate: --mnist DIR or --data FILE is required", 2);
  expect_failure("evaluate m.safetensors --mnist mnist", "mnist: there is no such folder");
  std::filesystem::create_directory(folder / "mnist");
  expect_failure("evaluate m.safetensors --mnist mnist",
                 "mnist: contains neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz");
  write_mnist("mnist");
  std::filesystem::remove(folder / "mnist" / "t10k-labels.idx1-ubyte");
  expect_failure("evaluate m.safetensors --mnist mnist",
                 "mnist: contains neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz");
  write_mnist("mnist");
  expect_failure("evaluate m.safetensors --mnist mnist",
                 "mnist: shape (30, 28, 28), but the model takes samples of shape (4, 6)");
  expect_failure("evaluate m.safetensors --mnist mnist --invert", "evaluate: --scale and --invert require --data", 2);
  const Tensor one(Shape{1});
  write_npz(folder / "w.npz", std::vector<RawTensor>{raw_tensor("z", one), raw_tensor("t", one)});
  expect_failure("evaluate m.safetensors --data w.npz",
                 "w.npz: arrays x_test and y_test, or x and y, are required; it has: z, t");
  const Tensor x(Shape{3, 4, 6}), y(Shape{2});
  write_npz(folder / "w.npz", std::vector<RawTensor>{raw_tensor("x", x), raw_tensor("y", y)});
  expect_failure("evaluate m.safetensors --data w.npz",
                 "w.npz: \"x\" is (3, 4, 6) but \"y\" is (2,); their first axes count the samples and must agree");
}

TEST_F(EvaluateTool, ASingleOutputThatIsNotAProbabilityIsAnError) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  Sequential model{Input{1}, Dense{.units = 1, .use_bias = false}};
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{1}})});
  const Tensor x({3, 1}, {0.25, 0.75, 3}), y = Tensor::vector({0, 1, 1});
  write_npz(folder / "one.npz", std::vector<RawTensor>{raw_tensor("x", x), raw_tensor("y", y)});
  model.save(folder / "bare.safetensors");
  expect_failure(
      "evaluate bare.safetensors --data one.npz",
      "bare.safetensors: output 3 of sample 2 is not a probability, so there is no accuracy (does the model end "
      "before its sigmoid?)");
  model.compile({.loss = BinaryCrossentropy{.from_logits = true}, .metrics = {Accuracy{}}});
  model.save(folder / "described.safetensors");
  const std::string shown = output("evaluate described.safetensors --data one.npz");
  EXPECT_NE(shown.find("accuracy: 0.6667"), std::string::npos) << shown;
}

}  // namespace
}  // namespace cornu::tool
