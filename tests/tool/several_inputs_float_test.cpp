// Graphs with several inputs and outputs, with a fixed batch size, or without a batch axis.
#ifdef CORNU_HAS_ONNX
#include <fmt/format.h>

#include "cornu/onnx/writer.h"
#include "cornu/tests/tool/support.h"
#ifdef CORNU_HAS_KERAS
#include "cornu/tests/keras/support.h"
#endif

namespace cornu::tool {
namespace {

using onnx::detail::Kind;
using onnx::detail::Writer;
using Axes = std::vector<Index>;

/// y = x w, with the shapes of x and y as declared: w is (columns of x, 2).
std::string product_graph(const Axes& x, const Axes& y, const Tensor& w, bool has_softmax = false) {
  Writer writer;
  writer.input("x", x);
  const std::string made = writer.node("MatMul", {"x", writer.initializer("w", w)});
  writer.output(has_softmax ? writer.node("Softmax", {made}) : made, y);
  return writer.finished("g");
}

/// The rows of x w, as the tool prints them.
Tensor product(const Tensor& x, const Tensor& w) {
  Tensor y(Shape{x.shape()[0], w.shape()[1]});
  for (Index i = 0; i < x.shape()[0]; ++i) {
    for (Index j = 0; j < w.shape()[1]; ++j) {
      Real sum = 0;
      for (Index k = 0; k < w.shape()[0]; ++k) sum += x.at({i, k}) * w.at({k, j});
      y.at({i, j}) = sum;
    }
  }
  return y;
}

class SeveralInputs : public ToolTest {
 protected:
  SeveralInputs() : x(Shape{6, 4}), w(Shape{4, 2}) {
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<Real>(i * 7 % 11);
    for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<Real>(i - 3);
    write_npy(path("x.npy"), x);
    write_npy(path("one.npy"), Tensor(Shape{4}, std::span(x.data(), 4)));
  }

  /// sum = a + b and difference = a - b of (N, 2); a, b by name.
  void write_two() const {
    Writer writer;
    const Axes rows{Writer::any, 2};
    writer.input("a", rows);
    writer.input("b", rows);
    writer.output(writer.node("Add", {"a", "b"}), rows);
    writer.output(writer.node("Sub", {"a", "b"}), rows);
    write("two.onnx", writer.finished("g"));
    write_npy(path("a.npy"), Tensor::matrix({{1, 2}, {3, 4}, {5, 6}}));
    write_npy(path("b.npy"), Tensor::matrix({{10, 20}, {30, 40}, {50, 60}}));
  }

  Tensor x, w;
};

TEST_F(SeveralInputs, PredictTakesThemByNameOrInOrder) {
  write_two();
  const std::string sum = "11,22\n33,44\n55,66\n", difference = "-9,-18\n-27,-36\n-45,-54\n";
  for (const char* const files : {"a.npy b.npy", "a=a.npy b=b.npy", "b=b.npy a=a.npy", "b=b.npy a.npy"}) {
    EXPECT_EQ(output(fmt::format("predict two.onnx {}", files)), sum) << files;
  }
  EXPECT_EQ(output("predict two.onnx a.npy b.npy --output-name Sub_1"), difference);
  EXPECT_EQ(output("predict two.onnx a.npy b.npy --output-name Add_0"), sum);
  EXPECT_EQ(output("predict two.onnx b.npy a.npy --output-name Sub_1 -o d.npy"), "");
  EXPECT_EQ(NpyFile(path("d.npy")).tensor(), Tensor::matrix({{9, 18}, {27, 36}, {45, 54}}));
  EXPECT_EQ(shell("\"$cornu\" predict two.onnx a=- b.npy < a.npy").out, sum);
}

TEST_F(SeveralInputs, PredictSaysWhatIsMissing) {
  write_two();
  expect_failure("predict two.onnx a.npy", "two.onnx: no file for b", 2);
  expect_failure("predict two.onnx c=a.npy", "c=a.npy: the model has no 'c'; it has a, b", 2);
  expect_failure("predict two.onnx a=a.npy a=b.npy", "a=b.npy: 'a' is given twice", 2);
  expect_failure("predict two.onnx a.npy b.npy a.npy", "a.npy: the model has only a, b", 2);
  expect_failure("predict two.onnx a.npy b.npy --output-name c",
                 "two.onnx: the model has no output 'c'; it has Add_0, Sub_1", 2);
  write_npy(path("short.npy"), Tensor::matrix({{1, 2}, {3, 4}}));
  expect_failure("predict two.onnx a.npy short.npy",
                 "short.npy has 2 samples, but a.npy has 3; each input takes one for each sample");
  Sequential({Input{2}, Dense{1}}).save(path("m.safetensors"));
  expect_failure("predict m.safetensors a.npy --output-name y",
                 "--output-name y: m.safetensors: only the outputs of an ONNX model have names", 2);
}

TEST_F(SeveralInputs, TheOnlyInputMayBeNamed) {
  write("p.onnx", product_graph({Writer::any, 4}, {Writer::any, 2}, w));
  const std::string text = output("predict p.onnx x.npy");
  expect_rows(text, product(x, w));
  EXPECT_EQ(output("predict p.onnx x=x.npy"), text);
  std::filesystem::copy_file(path("x.npy"), path("k=v.npy"));
  EXPECT_EQ(output("predict p.onnx k=v.npy"), text) << "a file name with an equals sign";
  EXPECT_EQ(output("predict p.onnx x=k=v.npy"), text);
}

#ifdef CORNU_HAS_KERAS
TEST_F(SeveralInputs, HaveTheSameNamesInCornuAndOnnxFiles) {
  std::filesystem::copy_file(testing::keras_path("shared.keras"), path("m.keras"));
  EXPECT_EQ(cornu("convert m.keras m.safetensors").status, 0);
  EXPECT_EQ(cornu("convert m.keras m.onnx").status, 0);
  const auto [inputs, outputs] = testing::keras_values("shared");
  ASSERT_EQ(inputs.size(), 2U);
  write_npy(path("a.npy"), inputs[0]);
  write_npy(path("b.npy"), inputs[1]);
  for (const char* const model : {"m.keras", "m.safetensors", "m.onnx"}) {
    SCOPED_TRACE(model);
    EXPECT_EQ(output(fmt::format("predict {} input_2=b.npy input_1=a.npy -o y.npy", model)), "");
    EXPECT_LT(testing::keras_difference(NpyFile(path("y.npy")).tensor(), outputs[0]), 1e-5);
    expect_failure(fmt::format("predict {} a.npy", model), fmt::format("{}: no file for input_2", model), 2);
  }
}
#endif

TEST_F(SeveralInputs, EvaluateReadsAnArrayForEach) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  write_two();
  const Tensor a = Tensor::matrix({{1, 2}, {4, 3}, {5, 6}}), b = Tensor::matrix({{0, 0}, {0, 9}, {0, 0}}),
               y = Tensor::vector({1, 1, 0});
  write_npz(path("d.npz"), std::array{raw_tensor("a", a), raw_tensor("b", b), raw_tensor("y", y)});
  EXPECT_EQ(output("evaluate two.onnx --data d.npz"), "accuracy: 0.6667\n");                      // 1, 1, 1
  EXPECT_EQ(output("evaluate two.onnx --data d.npz --output-name Sub_1"), "accuracy: 0.3333\n");  // 1, 0, 1
  write_npz(path("e.npz"), std::array{raw_tensor("a", a), raw_tensor("y", y)});
  expect_failure("evaluate two.onnx --data e.npz", "e.npz: arrays a, b, and y_test or y, are required; it has: a, y");
  write("t.csv", "1,2,1\n");
  expect_failure(
      "evaluate two.onnx --data t.csv",
      "two.onnx: inputs a, b; t.csv has samples for one. A .npz file can have an array for each input, and y");
}

/// Every kind of batch, in predict and run: the same rows.
TEST_F(SeveralInputs, SamplesAreCountedWhateverTheBatchAxis) {
  struct Case {
    const char* what;
    Axes x, y;
    const char* info;
    Axes made;  // by run, from six samples
  };
  const Axes rows{6, 2}, stacked{6, 1, 2};
  for (const Case& each :
       {Case{"open", {Writer::any, 4}, {Writer::any, 2}, "any size", rows},
        Case{"no batch axis", {4}, {2}, "none, a pass takes one sample", rows},
        Case{"one", {1, 4}, {1, 2}, "1 sample", rows}, Case{"two", {2, 4}, {2, 2}, "2 samples", rows},
        Case{"more axes", {1, 1, 4}, {1, 1, 2}, "1 sample", stacked}}) {
    SCOPED_TRACE(each.what);
    write("g.onnx", product_graph(each.x, each.y, w));
    const std::string info = output("info g.onnx");
    EXPECT_NE(info.find(fmt::format("Batch: {}\n", each.info)), std::string::npos) << info;
    EXPECT_EQ(output("predict g.onnx x.npy -o y.npy"), "");
    Tensor y = NpyFile(path("y.npy")).tensor();
    y.reshape({6, 2});
    EXPECT_EQ(y, product(x, w));
    Tensor samples = x;
    if (each.x.size() == 3) samples.reshape({6, 1, 4});
    write_npy(path("r.npy"), samples);
    EXPECT_EQ(output("run g.onnx -i r.npy -o z.npy"), "");
    Tensor z = NpyFile(path("z.npy")).tensor();
    EXPECT_EQ(z.shape(), Shape(each.made));
    z.reshape({6, 2});
    EXPECT_EQ(z, product(x, w));
    const Tensor first(Shape{1, 2}, std::span(y.data(), 2));
    if (each.x.size() == 2) expect_rows(output("predict g.onnx one.npy"), first);
  }
}

TEST_F(SeveralInputs, ASampleOfAGraphWithoutABatchAxisRunsAsItIs) {
  write("g.onnx", product_graph({4}, {2}, w));
  const Tensor y = product(x, w);
  EXPECT_EQ(output("run g.onnx -i one.npy"), fmt::format("MatMul_0: float (2,)\n{},{}\n", y.data()[0], y.data()[1]));
  expect_rows(output("predict g.onnx one.npy"), Tensor(Shape{1, 2}, std::span(y.data(), 2)));
  write("p.csv", "1,0,0,0\n0,1,0,0\n");
  expect_rows(output("predict g.onnx p.csv"), Tensor::matrix({{-3, -2}, {-1, 0}}));
  write("s.onnx", product_graph({4}, {2}, w, true));
  EXPECT_EQ(output("predict s.onnx p.csv"), "1\t0.7311\n1\t0.7311\n");  // 1 / (1 + 1 / e)
  EXPECT_EQ(output("predict s.onnx p.csv --classes"), "1\n1\n");
}

/// An image (3, 2, 2) without a batch axis, whose first axis is not the output's.
TEST_F(SeveralInputs, AnImageWithoutABatchAxis) {
  Writer writer;
  const Axes image{3, 2, 2}, flat{12}, all{2};
  writer.input("image", image);
  Tensor v(Shape{12, 2});
  for (Index i = 0; i < 24; ++i) v.data()[i] = static_cast<Real>(i);
  const std::string row = writer.node("Reshape", {"image", writer.initializer("to", flat)});
  writer.output(writer.node("MatMul", {row, writer.initializer("v", v)}), all);
  write("g.onnx", writer.finished("g"));
  Tensor images(Shape{5, 3, 2, 2});
  for (Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<Real>(i % 13);
  write_npy(path("i.npy"), images);
  Tensor rows = images;
  rows.reshape({5, 12});
  expect_rows(output("predict g.onnx i.npy"), product(rows, v));
  EXPECT_EQ(output("run g.onnx -i i.npy -o y.npy"), "");
  EXPECT_EQ(NpyFile(path("y.npy")).tensor(), product(rows, v));
}

TEST_F(SeveralInputs, OfARunCountTheSameSamples) {
  Writer writer;
  const Axes four{4}, two{2};
  writer.input("state", four);
  writer.input("bias", two);
  writer.output(writer.node("Add", {writer.node("MatMul", {"state", writer.initializer("w", w)}), "bias"}), two);
  write("g.onnx", writer.finished("g"));
  write_npy(path("bias.npy"), Tensor::vector({100, 200}));
  EXPECT_EQ(output("run g.onnx -i x.npy -i bias.npy -o y.npy"), "");
  Tensor expected = product(x, w), biases(Shape{6, 2});
  for (Index i = 0; i < 6; ++i) {
    biases.at({i, 0}) = 100;
    biases.at({i, 1}) = 200;
  }
  for (Index i = 0; i < 12; ++i) expected.data()[i] += biases.data()[i];
  EXPECT_EQ(NpyFile(path("y.npy")).tensor(), expected) << "one bias is used for all samples";
  write_npy(path("biases.npy"), biases);
  EXPECT_EQ(output("run g.onnx -i x.npy -i biases.npy -o y.npy"), "");
  EXPECT_EQ(NpyFile(path("y.npy")).tensor(), expected);
  expect_rows(output("predict g.onnx x.npy biases.npy"), expected);
  write_npy(path("few.npy"), Tensor(Shape{5, 2}));
  expect_failure("run g.onnx -i x.npy -i few.npy", "g.onnx: input 'state' has 6 samples, input 'bias' has 5");
}

TEST_F(SeveralInputs, OfAFixedBatchAreAMultipleOfIt) {
  write("g.onnx", product_graph({4, 4}, {4, 2}, w));
  expect_failure(
      "run g.onnx -i x.npy",
      "g.onnx: input 'x' has shape (4, 4), the array has (6, 4); the number of samples must be a multiple of "
      "4, the model's batch size");
  expect_rows(output("predict g.onnx x.npy"), product(x, w));
}

TEST_F(SeveralInputs, OfWhichOnlySomeHaveABatchAxisAreForRun) {
  Writer writer;
  const Axes rows{Writer::any, 2}, two{2};
  writer.input("a", rows);
  writer.input("scale", two);
  writer.output(writer.node("Mul", {"a", "scale"}), rows);
  write("g.onnx", writer.finished("g"));
  write_npy(path("a.npy"), Tensor::matrix({{1, 2}, {3, 4}}));
  write_npy(path("scale.npy"), Tensor::vector({10, 100}));
  expect_failure("predict g.onnx a.npy scale.npy",
                 "g.onnx: only some of its inputs a, scale have a batch axis; 'cornu run' takes arrays for them");
  EXPECT_EQ(output("run g.onnx -i a.npy -i scale.npy"), "Mul_0: float (2, 2)\n10,200\n30,400\n");
}

}  // namespace
}  // namespace cornu::tool
#endif
