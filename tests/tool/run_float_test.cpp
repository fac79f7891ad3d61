#ifdef CORNU_HAS_ONNX
#include <cstring>

#include "cornu/onnx/writer.h"
#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

using RunTool = ToolTest;
using onnx::detail::Kind;
using onnx::detail::Writer;

/// sum = a + b, floats of shape (N, 2); larger = ids * 16,777,217, whole numbers of any shape.
std::string two_in_two_out() {
  Writer writer;
  const Index rows[] = {Writer::any, 2}, one_axis[] = {Writer::any}, factor[] = {16'777'217};
  writer.input("a", rows);
  writer.input("b", rows);
  writer.input("ids", one_axis, Kind::integer);
  const std::string f = writer.initializer("f", factor), sum = writer.node("Add", {"a", "b"}),
                    larger = writer.node("Mul", {"ids", f});
  writer.output(sum, rows);
  writer.output(larger, one_axis, Kind::integer);
  return writer.finished("g");
}

class RunGraph : public RunTool {
 protected:
  RunGraph() {
    write("m.onnx", two_in_two_out());
    write_npy(path("a.npy"), Tensor::matrix({{1, 2}, {3, 4}}));
    write_npy(path("b.npy"), Tensor::matrix({{10, 20}, {30, 40}}));
    const std::vector<std::int64_t> ids{1, 2};
    write_npy(path("ids.npy"),
              RawTensor{.name = "ids", .dtype = Dtype::i64, .shape = {2}, .bytes = testing::bytes_of(ids)});
  }
};

TEST_F(RunGraph, TakesInputsByNameOrInOrder) {
  const std::string text = "Add_0: float (2, 2)\n11,22\n33,44\nMul_1: int64 (2,)\n16777217,33554434\n";
  EXPECT_EQ(output("run m.onnx --input a=a.npy --input b=b.npy --input ids=ids.npy"), text);
  EXPECT_EQ(output("run m.onnx -i a.npy -i b.npy -i ids.npy"), text);
  EXPECT_EQ(output("run m.onnx -i ids=ids.npy -i a.npy -i b.npy"), text);
}

TEST_F(RunGraph, WritesOutputsByNameOrTheFirst) {
  const std::string inputs = "run m.onnx -i a.npy -i b.npy -i ids.npy";
  EXPECT_EQ(output(inputs + " -o Mul_1=y.npy"), "");
  const NpyFile y(path("y.npy"));
  EXPECT_EQ(y.array().dtype, Dtype::i64);
  std::vector<std::int64_t> numbers(2);
  std::memcpy(numbers.data(), y.array().bytes.data(), 16);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{16'777'217, 33'554'434}));
  EXPECT_EQ(output(inputs + " -o first.npy"), "");
  EXPECT_EQ(NpyFile(path("first.npy")).tensor(), Tensor::matrix({{11, 22}, {33, 44}}));
}

TEST_F(RunGraph, ASampleIsABatchOfOne) {
  write_npy(path("row.npy"), Tensor::vector({1, 2}));
  const std::string text = output("run m.onnx -i row.npy -i row.npy -i ids.npy");
  EXPECT_EQ(text.substr(0, text.find("Mul")), "Add_0: float (1, 2)\n2,4\n");
}

TEST_F(RunGraph, SaysWhatIsWrongWithTheCommand) {
  expect_failure("run m.onnx -i a.npy", "m.onnx: no --input for b, ids", 2);
  expect_failure("run m.onnx -i c=a.npy", "--input c=a.npy: the model has no 'c'; it has a, b, ids", 2);
  expect_failure("run m.onnx -i a=a.npy -i a=b.npy", "--input a=b.npy: 'a' is given twice", 2);
  expect_failure("run m.onnx -i a.npy -i b.npy -i ids.npy -i a.npy", "--input a.npy: the model has only a, b, ids", 2);
  expect_failure("run m.onnx -o y.txt", "--output: y.txt: its name must end in .npy", 2);
  write_npy(path("wide.npy"), Tensor({2, 3}));
  expect_failure("run m.onnx -i wide.npy -i b.npy -i ids.npy",
                 "m.onnx: input 'a' has shape (any, 2), the array has (2, 3)");
  expect_failure("run m.onnx -i a.npy -i b.npy -i ids=b.npy",
                 "m.onnx: input 'ids' has shape (any,), the array has (2, 2)");
  write_npy(path("halves.npy"), Tensor::vector({0.5, 1}));
  expect_failure("run m.onnx -i a.npy -i b.npy -i ids=halves.npy", "m.onnx: input 'ids' takes integers, got 0.5");
  Sequential({Input{2}, Dense{1}}).save(path("m.safetensors"));
  expect_failure(
      "run m.safetensors -i a.npy",
      "m.safetensors: a safetensors file; 'cornu run' takes an ONNX model, 'cornu predict' a Cornu or Keras model");
}

}  // namespace
}  // namespace cornu::tool
#endif
