#include "cornu/onnx/reader.h"

#include <gtest/gtest.h>

#include <limits>
#include <protozero/pbf_writer.hpp>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using protozero::pbf_writer;
using testing::error_of;
using testing::expect_error;
using testing::file_of;
using namespace onnx::detail;

/// A serialized tensor whose fields `fields` writes.
template <class F>
std::string tensor(F fields) {
  std::string bytes;
  pbf_writer message(bytes);
  fields(message);
  return bytes;
}

std::vector<double> numbers_of(const TensorMessage& message) {
  const Elements& elements = message.elements;
  if (elements.kind() == Kind::real) return {elements.real.begin(), elements.real.end()};
  return {elements.integers.begin(), elements.integers.end()};
}

TEST(OnnxReader, ReadsRawAndTypedNumbersPackedAndOneByOne) {
  const std::vector<float> floats{1, -2.5F, 3};
  const std::vector<double> doubles{1, -2.5, 3};
  const std::vector<std::int64_t> dims{3}, longs{1, -2, 3};
  const std::vector<std::int32_t> ints{1, -2, 3};
  const auto read = [&](ElementType type, auto fill) {
    const std::string bytes = tensor([&](pbf_writer& m) {
      fill(m);  // the elements may precede shape and type
      m.add_packed_int64(tensor_field::dims, dims.begin(), dims.end());
      m.add_enum(tensor_field::data_type, static_cast<int>(type));
    });
    return read_tensor(bytes, "t");
  };
  const auto raw = [](const auto& numbers) {
    return [&numbers](pbf_writer& m) {
      m.add_bytes(tensor_field::raw_data, reinterpret_cast<const char*>(numbers.data()),
                  numbers.size() * sizeof numbers[0]);
    };
  };
  const std::vector<double> real{1, -2.5, 3}, whole{1, -2, 3};
  EXPECT_EQ(numbers_of(read(ElementType::float32, raw(floats))), real);
  EXPECT_EQ(numbers_of(read(ElementType::float64, raw(doubles))), real);
  EXPECT_EQ(numbers_of(read(ElementType::int32, raw(ints))), whole);
  EXPECT_EQ(numbers_of(read(ElementType::int64, raw(longs))), whole);
  EXPECT_EQ(numbers_of(read(
                ElementType::float32,
                [&](pbf_writer& m) { m.add_packed_float(tensor_field::float_data, floats.begin(), floats.end()); })),
            real);
  EXPECT_EQ(numbers_of(read(ElementType::float32,
                            [&](pbf_writer& m) {
                              for (const float f : floats) m.add_float(tensor_field::float_data, f);
                            })),
            real);
  EXPECT_EQ(numbers_of(read(ElementType::float64,
                            [&](pbf_writer& m) {
                              m.add_packed_double(tensor_field::double_data, doubles.begin(), doubles.end());
                            })),
            real);
  EXPECT_EQ(numbers_of(
                read(ElementType::int64,
                     [&](pbf_writer& m) { m.add_packed_int64(tensor_field::int64_data, longs.begin(), longs.end()); })),
            whole);
  const TensorMessage ones = read(ElementType::int32, [&](pbf_writer& m) {
    for (const std::int32_t i : ints) m.add_int32(tensor_field::int32_data, i);
  });
  EXPECT_EQ(numbers_of(ones), whole);
  EXPECT_EQ(ones.elements.kind(), Kind::integer);
  const TensorMessage truths = read(ElementType::boolean, [&](pbf_writer& m) {
    m.add_bytes(tensor_field::raw_data, std::string{"\0\1\2", 3});
  });
  EXPECT_EQ(numbers_of(truths), (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(truths.elements.kind(), Kind::boolean);
}

struct Bad {
  std::string bytes, error;
};

TEST(OnnxReader, SaysWhatIsWrongWithATensor) {
  const auto with = [](std::initializer_list<std::int64_t> dims, int type, auto more) {
    return tensor([&](pbf_writer& m) {
      m.add_packed_int64(tensor_field::dims, dims.begin(), dims.end());
      m.add_enum(tensor_field::data_type, type);
      more(m);
    });
  };
  const auto raw = [](std::size_t n) {
    return [n](pbf_writer& m) { m.add_bytes(tensor_field::raw_data, std::string(n, '\0')); };
  };
  const auto nothing = [](pbf_writer&) {};
  const Bad table[] = {
      {with({2}, 1, raw(4)), "t: shape (2,) has 2 elements, the file has 1"},
      {with({1}, 1, raw(5)), "t: raw_data has 5 bytes, not a multiple of 4"},
      {with({1000000000000}, 1, raw(4)), "t: shape (1000000000000,) has 1000000000000 elements, the file has 1"},
      {with({1LL << 40, 1LL << 40}, 1, raw(4)), "t: its dimensions overflow"},
      {with({-1}, 1, raw(4)), "t: dimension 0 is -1"},
      {with({1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, raw(4)), "t: it has more than 8 dimensions"},
      {with({1}, 8, nothing),
       "t: its elements are string, which Cornu does not read; it reads float, double, float16, bfloat16, bool and "
       "integers of 8 to 64 bits"},
      {with({1}, 99, raw(1)),
       "t: its elements are of an unknown type, which Cornu does not read; it reads float, double, float16, bfloat16, "
       "bool and integers of 8 to 64 bits"},
      {with({1}, 13, [](pbf_writer& m) { m.add_uint64(tensor_field::uint64_data, ~std::uint64_t{0}); }),
       "t: it holds the integer 18446744073709551615, which is larger than 2^63 - 1"},
      {with({1}, 1, [](pbf_writer& m) { m.add_enum(tensor_field::data_location, 1); }),
       "t: its elements are in the file '' (external data), but the model was read from memory; load it from its file, "
       "beside which that one must lie"},
      {with({1}, 1,
            [&](pbf_writer& m) {
              raw(4)(m);
              m.add_float(tensor_field::float_data, 1);
            }),
       "t: it has elements both in raw_data and in a typed field"},
      {with({1}, 1, [](pbf_writer& m) { m.add_string(tensor_field::data_type, "x"); }),
       "t: data_type has wire type 2, expected 0"},
  };
  for (const Bad& bad : table) expect_error<FormatError>([&] { read_tensor(bad.bytes, "t"); }, bad.error);
}

/// A file that contains every kind of part that the reader supports.
std::string small_model() {
  Writer writer;
  const Index rows[] = {Writer::any, 1, 4, 4}, column[] = {Writer::any, 2}, shape[] = {0, 8};
  writer.input("x", rows);
  const std::string kernel = writer.initializer("kernel", testing::normal({2, 1, 3, 3}, 1));
  const std::string target = writer.initializer("shape", shape);
  const std::string w = writer.initializer("w", testing::normal({2, 8}, 1));
  std::string y =
      writer.node("Conv", {"x", kernel}, {{"pads", std::vector<Index>{0, 0, 0, 0}}, {"auto_pad", "NOTSET"}});
  y = writer.node("Reshape", {y, target});
  y = writer.node("Gemm", {y, w}, {{"transB", Index{1}}, {"alpha", 0.5}});
  writer.node_of("Softmax", "", std::vector{y}, std::vector<std::string>{"y"}, {}, "last");
  writer.output("y", column);
  writer.metadata("class_names", "[\"a\", \"b\"]");
  return writer.finished("small");
}

TEST(OnnxReader, ADamagedFileIsRejectedOrRuns) {
  const std::string whole = small_model();
  const Tensor x = testing::normal({2, 1, 4, 4}, 1);
  ASSERT_NO_THROW(onnx::parse(whole).predict(x));
  const testing::Refused refused = testing::read_damaged(whole, [&](const std::string& bytes) {
    const onnx::Model model = onnx::parse(bytes, "m");
    if (model.inputs().size() == 1) static_cast<void>(model.predict(x));
  });
  EXPECT_GT(refused.cut, std::ssize(whole) - 60);  // all cuts except those that only remove metadata
  EXPECT_GT(refused.flipped, std::ssize(whole));
}

TEST(OnnxReader, ManySmallPartsStayWithinTheMemoryLimit) {
  std::string graph, file;
  pbf_writer message(graph);
  for (int i = 0; i < 200'000; ++i) message.add_message(graph_field::node, std::string());
  pbf_writer model(file);
  model.add_int64(model_field::ir_version, 8);
  model.add_message(model_field::graph, graph);
  expect_error<FormatError>([&] { onnx::parse(file, "m"); },
                            "m: reading it would take more than 8 times its size in memory");
}

TEST(OnnxReader, SaysWhatIsWrongWithAModel) {
  const auto refusal = [](const std::string& bytes) { return error_of<FormatError>([&] { onnx::parse(bytes, "m"); }); };
  EXPECT_EQ(refusal(""), "m: this is an empty file; was it written or downloaded completely?");
  EXPECT_EQ(refusal("some text"), "m: this is a text file; is it the right file?");
  EXPECT_EQ(
      refusal("\x0f\1"),
      "m: not an ONNX model, not a protocol buffer: unknown pbf field type exception (it begins with 0F 01; is it "
      "truncated?)");
  EXPECT_EQ(
      refusal(file_of({"Frobnicate", {{1}}})),
      "m: the graph needs ops that Cornu does not have: Frobnicate (ai.onnx 17; 1 node, the first is 0 'the node')");
  EXPECT_EQ(
      refusal(file_of({.op = "Relu", .inputs = {{1}}, .domain = "com.example"})),
      "m: the graph needs ops that Cornu does not have: Relu (com.example unversioned; 1 node, the first is 0 'the "
      "node')");
  EXPECT_EQ(refusal(file_of({"Relu", {{1}}, {}, 29})),
            "m: the graph needs ops that Cornu does not have: Relu (ai.onnx 29, Cornu has opsets 6 to 28; 1 node, the "
            "first is 0 'the node')");
  EXPECT_EQ(
      refusal(file_of({"LayerNormalization", {{1}, {1}}, {}, 16})),
      "m: the graph needs ops that Cornu does not have: LayerNormalization (ai.onnx 16, Cornu has opsets 17 to 28; "
      "1 node, the first is 0 'the node')");
  EXPECT_EQ(refusal(file_of({"Relu", {{1}, {1}}})), "m: node 0 'the node' (Relu): it has 2 inputs, expected 1 to 1");
  EXPECT_EQ(refusal(file_of({"Relu", {{1}}, {{"alpha", 0.5}}})),
            "m: node 0 'the node' (Relu): attribute 'alpha' is not supported; supported for this op: none");
  EXPECT_EQ(refusal(file_of({"Elu", {{1}}, {{"beta", 0.5}}})),
            "m: node 0 'the node' (Elu): attribute 'beta' is not supported; supported for this op: alpha");
  Writer writer;
  writer.node("Relu", {"nobody"});
  EXPECT_EQ(refusal(writer.finished("g")), "m: node 0 'Relu_0' (Relu): nothing computes its input 'nobody'");
  Writer twice;
  const Index one = 1;
  twice.input("x", {&one, 1});
  twice.input("x", {&one, 1});
  EXPECT_EQ(refusal(twice.finished("g")), "m: two values are named 'x'");
  Writer unmade;
  unmade.output("y", {&one, 1});
  EXPECT_EQ(refusal(unmade.finished("g")), "m: no node computes the output 'y'");
}

TEST(OnnxReader, NamesAllUnsupportedOpsAtOnce) {
  Writer writer;
  const Index one = 1;
  const std::vector<std::string> x{"x"}, outputs{"a", "b", "c", "d", "e", "f"};
  writer.input("x", {&one, 1});
  const auto add = [&](const char* op, const char* domain, std::size_t output, const char* name) {
    writer.node_of(op, domain, x, std::span(&outputs[output], 1), {}, name);
  };
  add("Frobnicate", "", 0, "first");
  add("Relu", "", 1, "known");
  add("Relu", "com.example", 2, "");
  add("Frobnicate", "ai.onnx", 3, "second");
  add("Adam", "", 4, "in another domain");
  add("Frobnicate", "", 5, "third");
  writer.output("b", {&one, 1});
  const std::pair<std::string, Index> domains[] = {{"com.example", 3}};
  expect_error<FormatError>(
      [&] { onnx::parse(writer.finished("g", 13, domains), "m"); },
      "m: the graph needs ops that Cornu does not have: Frobnicate (ai.onnx 13; 3 nodes, the first is 0 'first'), "
      "Relu (com.example 3; 1 node, the first is 2), Adam (ai.onnx 13; 1 node, the first is 4 'in another domain')");
}

TEST(OnnxReader, KeepsIntegersThatAFloatCannotHold) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> dims{3}, numbers{1, (1LL << 60) + 1, most};
  const std::string typed = tensor([&](pbf_writer& m) {
    m.add_packed_int64(tensor_field::dims, dims.begin(), dims.end());
    m.add_enum(tensor_field::data_type, 7);
    m.add_packed_int64(tensor_field::int64_data, numbers.begin(), numbers.end());
  });
  EXPECT_EQ(read_tensor(typed, "t").elements.integers, (std::vector<Index>{1, (1LL << 60) + 1, most}));
  const std::vector<std::int32_t> narrow{1 << 24, -(1 << 24), 0},
      wide{(1 << 24) + 1, std::numeric_limits<int>::min(), 0};
  for (const auto& ints : {narrow, wide}) {
    const std::string raw = tensor([&](pbf_writer& m) {
      m.add_packed_int64(tensor_field::dims, dims.begin(), dims.end());
      m.add_enum(tensor_field::data_type, 6);
      m.add_bytes(tensor_field::raw_data, reinterpret_cast<const char*>(ints.data()), 12);
    });
    EXPECT_EQ(read_tensor(raw, "t").elements.integers, std::vector<Index>(ints.begin(), ints.end()));
  }
}

TEST(OnnxReader, SaysWhichFileCannotBeRead) {
  expect_error<FileError>([] { onnx::load("/no/such/model.onnx"); },
                          "/no/such/model.onnx: cannot be opened (No such file or directory)");
}

}  // namespace
}  // namespace cornu
