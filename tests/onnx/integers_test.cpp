#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <variant>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"

/// Whole numbers compared with 128-bit arithmetic and plain loops.
namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;
using testing::fixture;
using testing::Given;
using testing::Kind;
using testing::List;
using testing::normal;
using testing::Writer;

__extension__ using Wide = __int128;

constexpr Index most32 = std::numeric_limits<std::int32_t>::max(), least32 = std::numeric_limits<std::int32_t>::min(),
                most64 = std::numeric_limits<Index>::max(), least64 = std::numeric_limits<Index>::min(),
                first_lost = (Index{1} << std::numeric_limits<Real>::digits) + 1;  // 2^24 + 1

/// The result of `op` for constant integer inputs, or its error.
struct Made {
  std::optional<onnx::Integers> y;
  std::string error;
};

Made made_of(const char* op, const std::vector<List>& inputs, const std::vector<Given>& attributes = {},
             Index opset = 13) {
  Writer writer;
  std::vector<std::string> names;
  for (const List& numbers : inputs) names.push_back(writer.initializer("c", numbers));
  const std::string y = "y";
  writer.node_of(op, "", names, std::span(&y, 1), attributes, "node");
  writer.output(y, {}, Kind::integer);
  try {
    return {std::get<onnx::Integers>(onnx::parse(writer.finished("g", opset), "m").run_exact({}).at("y")), ""};
  } catch (const Error& error) {
    return {std::nullopt, error.what()};
  }
}

TEST(OnnxIntegers, AreComputedExactlyOrRejected) {
  struct Arithmetic {
    const char* op;
    std::function<Wide(Wide, Wide)> right;
  };
  const Arithmetic table[] = {{"Add", [](Wide a, Wide b) { return a + b; }},
                              {"Sub", [](Wide a, Wide b) { return a - b; }},
                              {"Mul", [](Wide a, Wide b) { return a * b; }},
                              {"Div", [](Wide a, Wide b) { return a / b; }}};
  Rng rng(23);
  int exact = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto draw = [&] {
      const auto bits = 1 + rng.bits() % 63;
      const auto number = static_cast<Index>(rng.bits() >> (64 - bits));
      return rng.bits() % 2 == 0 ? number : -number;
    };
    const Arithmetic& each = table[rng.bits() % 4];
    const Index a = draw(), b = std::string(each.op) == "Div" && a % 3 == 0 ? std::max(Index{1}, a / 3) : draw();
    if (std::string(each.op) == "Div" && b == 0) continue;
    const Wide right = each.right(a, b);
    const bool fits = right >= least64 && right <= most64;
    const Made made = made_of(each.op, {{a}, {b}});
    ASSERT_EQ(made.y.has_value(), fits) << each.op << ' ' << a << ' ' << b << ": " << made.error;
    (fits ? exact : refused)++;
    if (!fits) continue;
    ASSERT_EQ(made.y->elements[0], static_cast<Index>(right)) << each.op << ' ' << a << ' ' << b;
  }
  EXPECT_GT(exact, 500);
  EXPECT_GT(refused, 300);
  EXPECT_EQ(made_of("Div", {{1}, {0}}).error, "m: node 'node' (Div): an integer is divided by 0");
  EXPECT_EQ(made_of("Add", {{most64}, {1}}).error, "m: node 'node' (Add): its integers overflow 64 bits");
  EXPECT_EQ(made_of("Div", {{least64}, {-1}}).error, "m: node 'node' (Div): its integers overflow 64 bits");
}

TEST(OnnxIntegers, AreReducedToIntegers) {
  Rng rng(24);
  for (int round = 0; round < 300; ++round) {
    const Index rows = 1 + static_cast<Index>(rng.bits() % 4), columns = 1 + static_cast<Index>(rng.bits() % 4);
    const bool to_mean = rng.bits() % 2 == 0, keeps = rng.bits() % 2 == 0;
    const Index axis = static_cast<Index>(rng.bits() % 2);
    List numbers;
    for (Index i = 0; i < rows * columns; ++i) {
      numbers.push_back(static_cast<Index>(rng.bits() % 4000) - 2000);
      if (rng.bits() % 4 == 0) numbers.back() += rng.bits() % 2 == 0 ? Index{1} << 40 : -(Index{1} << 40);
    }
    Writer writer;
    const Index shape[] = {rows, columns}, axes[] = {axis};
    std::string x = writer.node("Reshape", {writer.initializer("x", numbers), writer.initializer("shape", shape)});
    if (to_mean) {
      x = writer.node("ReduceMean", {x}, {{"axes", List{axis}}, {"keepdims", Index{keeps}}});
    } else {
      x = writer.node("ReduceSum", {x, writer.initializer("axes", axes)}, {{"keepdims", Index{keeps}}});
    }
    writer.output(x, {}, Kind::integer);
    const onnx::Model model = onnx::parse(writer.finished("g", 13), "m");
    const Index count = axis == 0 ? columns : rows, length = axis == 0 ? rows : columns;
    std::vector<std::int64_t> right;
    for (Index i = 0; i < count; ++i) {
      Index sum = 0;
      for (Index k = 0; k < length; ++k)
        sum += numbers[static_cast<std::size_t>(axis == 0 ? k * columns + i : i * columns + k)];
      right.push_back(to_mean ? sum / length : sum);
    }
    const auto y = std::get<onnx::Integers>(model.run_exact({}).at(x));
    const Shape reduced = axis == 0 ? Shape{1, columns} : Shape{rows, 1};
    ASSERT_EQ(y, (onnx::Integers{keeps ? reduced : Shape{count}, right}));
  }
}

TEST(OnnxIntegers, PowersOfIntegersAreIntegers) {
  const auto power = [](Index base, Real exponent) {
    Writer writer;
    const Index bases[] = {base};
    const std::string b = writer.initializer("b", bases), e = writer.initializer("e", Tensor::vector({exponent}));
    writer.output(writer.node("Pow", {b, e}), {}, Kind::integer);
    return onnx::parse(writer.finished("g"), "m").run({}).at("Pow_0")[0];
  };
  EXPECT_EQ(power(2, 10), 1024);
  EXPECT_EQ(power(-3, 3), -27);
  EXPECT_EQ(power(2, Real(0.5)), 1);
  EXPECT_EQ(power(2, -1), 0);
  EXPECT_EQ(power(7, 0), 1);
  EXPECT_EQ(error_of<ValueError>([&] { power(0, -1); }),
            "m: node 'Pow_0' (Pow): 0 to the power of -1 is not an integer that can be represented exactly");
  EXPECT_THROW(power(10, 30), ValueError);
}

TEST(OnnxIntegers, StayIntegersInProducts) {
  Writer writer;
  const Index a[] = {2, 3}, two[] = {2};
  const std::string y = writer.node("MatMul", {writer.initializer("a", a), writer.initializer("b", a)});
  writer.output(writer.node("Div", {y, writer.initializer("two", two)}), {}, Kind::integer);
  EXPECT_EQ(onnx::parse(writer.finished("g")).run({}).at("Div_1")[0], 6);  // 13 / 2
  EXPECT_EQ(made_of("Sqrt", {{9}}).error, "m: node 'node' (Sqrt): input 0 holds int64; it takes floats");
}

TEST(OnnxIntegers, AnIntegerInputRejectsFractions) {
  Writer writer;
  const Index shape[] = {Writer::any};
  writer.input("ids", shape, Kind::integer);
  writer.output(writer.node("Neg", {"ids"}), shape, Kind::integer);
  const onnx::Model model = onnx::parse(writer.finished("g"), "m");
  EXPECT_EQ(model.predict(Tensor::vector({1, -2})), Tensor::vector({-1, 2}));
  expect_error<ValueError>(
      [&] {
        model.predict(Tensor::vector({1, Real(0.5)}));
      },
      "m: input 'ids' takes integers, got 0.5");
  expect_error<ValueError>([&] { model.predict(Tensor::vector({Real(NAN)})); },
                           "m: input 'ids' takes integers, got nan");
}

// ---- Integers that a Real cannot represent ----

TEST(OnnxIntegers, ThatAreLargeStayWhatTheyAre) {
  const auto numbers = [](const Made& made) {
    EXPECT_EQ(made.error, "");
    return made.y ? made.y->elements : std::vector<std::int64_t>{};
  };
  using Longs = std::vector<std::int64_t>;
  EXPECT_EQ(numbers(made_of("Identity", {{first_lost}})), Longs{first_lost});
  EXPECT_EQ(numbers(made_of("Add", {{first_lost - 1}, {1}})), Longs{first_lost});
  EXPECT_EQ(numbers(made_of("MatMul", {{first_lost, 1}, {3, 1}})), Longs{3 * first_lost + 1});
  EXPECT_EQ(made_of("MatMul", {{most64, 1}, {2, 1}}).error, "m: node 'node' (MatMul): its integers overflow 64 bits");
  EXPECT_EQ(numbers(made_of("Sub", {{first_lost}, {2}})), Longs{first_lost - 2});
  EXPECT_EQ(numbers(made_of("Min", {{first_lost, most64}, {5, most64 - 1}})), (Longs{5, most64 - 1}));
  EXPECT_EQ(numbers(made_of("Equal", {{first_lost, most64}, {first_lost - 1, most64}})), (Longs{0, 1}));
  EXPECT_EQ(numbers(made_of("Cast", {{first_lost, -1, 300}}, {{"to", Index{2}}})), (Longs{first_lost % 256, 255, 44}));
  EXPECT_EQ(numbers(made_of("Clip", {{first_lost}})), Longs{first_lost});

  // As a Real, such a number would be another one.
  Writer writer;
  const Index large[] = {first_lost};
  writer.output(writer.node("Neg", {writer.initializer("c", large)}), {}, Kind::integer);
  expect_error<ValueError>([&] { onnx::parse(writer.finished("g"), "m").run({}); },
                           "m: output 'Neg_0' holds the integer " + std::to_string(-first_lost) +
                               ", which is larger than Cornu can represent exactly; run_exact returns it");
}

TEST(OnnxIntegers, GoInAndComeOutAsSuch) {
  Writer writer;
  const Index shape[] = {Writer::any};
  writer.input("ids", shape, Kind::integer);
  writer.input("flags", shape, Kind::boolean);
  const std::string y = writer.node("Where", {"flags", "ids", writer.node("Neg", {"ids"})});
  writer.output(y, shape, Kind::integer);
  const onnx::Model model = onnx::parse(writer.finished("g"), "m");
  const onnx::Integers ids{{3}, {first_lost, most64, -5}}, flags{{3}, {1, 0, 0}};
  EXPECT_EQ(std::get<onnx::Integers>(model.run_exact({{"ids", ids}, {"flags", flags}}).at(y)),
            (onnx::Integers{{3}, {first_lost, -most64, 5}}));
  EXPECT_EQ(model.inputs()[0].type, "int64");
  EXPECT_EQ(model.inputs()[1].type, "bool");
  expect_error<ValueError>(
      [&] {
        model.run_exact({{"ids", ids}, {"flags", onnx::Integers{{3}, {1, 2, 0}}}});
      },
      "m: input 'flags' takes bool, got 2");
  expect_error<ValueError>(
      [&] {
        model.run_exact({{"ids", onnx::Integers{{2}, {1}}}, {"flags", flags}});
      },
      "m: input 'ids' has 1 elements, its shape (2,) has 2");
}

TEST(OnnxIntegers, ThatAreUnusedMayBeOfAnySize) {
  Writer writer;
  const Index shape[] = {2}, large[] = {first_lost};
  writer.input("x", shape);
  writer.initializer("unused", large);
  const std::string used = writer.initializer("used by what nothing uses", large);
  writer.node("MatMul", {used, used});
  writer.output(writer.node("Neg", {"x"}), shape);
  EXPECT_EQ(onnx::parse(writer.finished("g")).predict(Tensor::vector({1, 2})), Tensor::vector({-1, -2}));
}

/// x[start:end:step] as in NumPy.
List positions_of(Index start, Index end, Index step, Index extent) {
  const auto inside = [&](Wide at) {
    if (at < 0) at += extent;
    return std::clamp<Wide>(at, step < 0 ? -1 : 0, step < 0 ? extent - 1 : extent);
  };
  List result;
  const Wide last = inside(end);
  for (Wide at = inside(start); step > 0 ? at < last : at > last; at += step) result.push_back(static_cast<Index>(at));
  return result;
}

TEST(OnnxIntegers, SlicesEndWhereThoseOfNumPyDo) {
  Rng rng(25);
  int whole = 0;
  for (int round = 0; round < 3000; ++round) {
    const Index extent = 1 + static_cast<Index>(rng.bits() % 6);
    const bool narrow = rng.bits() % 2 == 0;
    const auto draw = [&] {
      const Index far32[] = {most32, least32, most32 - 1, least32 + 1, (1 << 24) + 1, -(1 << 24) - 1};
      const Index far64[] = {most64, least64, most64 - 1, least64 + 1, Index{1} << 40, -(Index{1} << 50) - 1};
      const Index near = static_cast<Index>(rng.bits() % 15) - 7;
      return rng.bits() % 2 == 0 ? near : narrow || rng.bits() % 2 == 0 ? far32[rng.bits() % 6] : far64[rng.bits() % 6];
    };
    const Index start = draw(), end = draw(), step = rng.bits() % 3 == 0 ? draw() : rng.bits() % 2 == 0 ? 1 : -1;
    if (step == 0) continue;
    Writer writer;
    const Index shape[] = {2, extent};
    writer.input("x", shape);
    const auto one = [&](Index number) {
      std::string name = writer.initializer("c", {&number, 1});
      if (narrow) name = writer.node("Cast", {name}, {{"to", Index{6}}});
      // Like an exporter that composes the input, so that the exact integer is lost.
      if (rng.bits() % 2 == 0) name = writer.node("Concat", {name}, {{"axis", Index{0}}});
      return name;
    };
    writer.output(writer.node("Slice", {"x", one(start), one(end), one(1), one(step)}, {}, "slice"), {});
    const Tensor x = normal({2, extent}, static_cast<std::uint64_t>(round));
    const onnx::Model model = onnx::parse(writer.finished("g", 13), "m");
    const Tensor y = model.predict(x);
    const List right = positions_of(start, end, step, extent);
    const auto count = std::ssize(right);
    ASSERT_EQ(y.shape(), (Shape{2, count})) << start << ' ' << end << ' ' << step << " of " << extent;
    for (Index i = 0; i < 2 * count; ++i) {
      ASSERT_EQ(y[i], x[i / count * extent + right[static_cast<std::size_t>(i % count)]]);
    }
    whole += count == extent ? 1 : 0;
  }
  EXPECT_GT(whole, 100);
}

TEST(OnnxIntegers, ASliceToTheLargestIntegerOf32BitsGoesToTheEnd) {
  const Tensor x = normal({3, 6}, 1), y = fixture("slice_end_i32max").predict(x);
  ASSERT_EQ(y.shape(), (Shape{3, 5}));
  for (Index i = 0; i < 15; ++i) EXPECT_EQ(y[i], x[i / 5 * 6 + i % 5 + 1]);
}

TEST(OnnxIntegers, ASliceWithMismatchedInputsIsAnError) {
  Writer writer;
  const Index shape[] = {3, 6}, two[] = {0, 1}, one[] = {1};
  writer.input("x", shape);
  const std::string zero_one = writer.initializer("zero_one", two), step = writer.initializer("step", one);
  writer.output(writer.node("Slice", {"x", zero_one, zero_one, zero_one, step}), {});
  expect_error<FormatError>(
      [&] {
        onnx::parse(writer.finished("g"), "m").predict(normal({3, 6}, 1));
      },
      "m: node 'Slice_0' (Slice): starts, ends, axes and steps differ in length");
}

TEST(OnnxIntegers, AReshapeToALargeShapeIsExact) {
  Writer writer;
  const Index x_shape[] = {Writer::any, 0}, target[] = {0, (1 << 24) + 1};
  writer.input("x", x_shape);
  const std::string shape = writer.initializer("shape", target);
  writer.output(writer.node("Reshape", {"x", shape}, {{"allowzero", Index{1}}}), {});
  const onnx::Model model = onnx::parse(writer.finished("g", 14));
  EXPECT_EQ(model.predict(Tensor({5, 0})).shape(), (Shape{0, (1 << 24) + 1}));
}

TEST(OnnxIntegers, ACastNamesTheValueThatDoesNotFit) {
  const auto cast = [](Real number, Index to) {
    Writer writer;
    const Index one = 1;
    writer.input("x", {&one, 1});
    writer.output(writer.node("Cast", {"x"}, {{"to", to}}), {}, Kind::integer);
    return onnx::parse(writer.finished("g"), "m").predict(Tensor::vector({number}))[0];
  };
  EXPECT_EQ(cast(Real(-2.75), 7), -2);
  EXPECT_EQ(cast(Real(1 << 30), 6), Real(1 << 30));
  EXPECT_EQ(cast(Real(0x1p60), 7), Real(0x1p60));
  expect_error<ValueError>([&] { cast(Real(NAN), 7); }, "m: node 'Cast_0' (Cast): nan is out of the range of int64");
  expect_error<ValueError>([&] { cast(-Real(INFINITY), 6); },
                           "m: node 'Cast_0' (Cast): -inf is out of the range of int32");
  EXPECT_THROW(cast(Real(0x1p31), 6), ValueError);
}

}  // namespace
}  // namespace cornu
