#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/tests/onnx/one_op.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

/// The values of ops and opsets that ONNX's model tests in Debian do not cover, against plain loops.
namespace cornu {
namespace {

using testing::AnyInput;
using testing::error_of;
using testing::expect_close;
using testing::Given;
using testing::infinity;
using testing::list;
using testing::List;
using testing::normal;
using testing::reals_of;
using testing::whole_of;
using testing::WholeInput;
using testing::Writer;

TEST(OnnxNewerOps, ActivationsFollowTheirFormulas) {
  const Tensor x = normal({40}, 1);
  const auto check = [&](const char* op, const std::vector<Given>& attributes, auto f) {
    Tensor right({40});
    for (Index i = 0; i < 40; ++i) right[i] = static_cast<Real>(f(static_cast<double>(x[i])));
    SCOPED_TRACE(op);
    expect_close(reals_of(op, {x}, attributes, 24), right);
  };
  check("Gelu", {}, [](double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); });
  check("Gelu", {{"approximate", "tanh"}},
        [](double v) { return 0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v))); });
  check("Mish", {}, [](double v) { return v * std::tanh(std::log1p(std::exp(v))); });
  check("Swish", {}, [](double v) { return v / (1 + std::exp(-v)); });
  check("Swish", {{"alpha", -0.7}}, [](double v) { return v / (1 + std::exp(0.7 * v)); });
}

TEST(OnnxNewerOps, NormalizationsFollowTheirFormulas) {
  const Tensor x = normal({2, 6, 3}, 2), of_groups = normal({2}, 3), of_channels = normal({6}, 4);
  for (const Index opset : {18, 21}) {
    const Tensor& scale = opset == 18 ? of_groups : of_channels;
    Tensor right({2, 6, 3});
    for (Index part = 0; part < 4; ++part) {  // (batch, group): 9 elements each
      double mean = 0, variance = 0;
      for (Index i = 0; i < 9; ++i) mean += static_cast<double>(x[part * 9 + i]) / 9;
      for (Index i = 0; i < 9; ++i) variance += std::pow(static_cast<double>(x[part * 9 + i]) - mean, 2) / 9;
      for (Index i = 0; i < 9; ++i) {
        const auto s = static_cast<double>(scale[opset == 18 ? part % 2 : part % 2 * 3 + i / 3]);
        right[part * 9 + i] =
            static_cast<Real>((static_cast<double>(x[part * 9 + i]) - mean) / std::sqrt(variance + 0.1) * s + s);
      }
    }
    expect_close(reals_of("GroupNormalization", {x, scale, scale}, {{"num_groups", Index{2}}, {"epsilon", 0.1}}, opset),
                 right);
  }
  Tensor right({2, 6, 3});
  const Tensor wide = normal({6, 3}, 5);
  for (Index b = 0; b < 2; ++b) {
    double total = 0;
    for (Index i = 0; i < 18; ++i) total += std::pow(static_cast<double>(x[b * 18 + i]), 2);
    for (Index i = 0; i < 18; ++i) {
      right[b * 18 + i] = static_cast<Real>(static_cast<double>(x[b * 18 + i] * wide[i]) / std::sqrt(total / 18 + 0.1));
    }
  }
  expect_close(reals_of("RMSNormalization", {x, wide}, {{"axis", Index{1}}, {"epsilon", 0.1}}, 23), right);
  const Tensor rows = Tensor({2, 3}, {3, -4, 0, 0, 0, 0});
  expect_close(reals_of("LpNormalization", {rows}), Tensor({2, 3}, {Real(0.6), Real(-0.8), 0, 0, 0, 0}));
  expect_close(reals_of("LpNormalization", {rows}, {{"p", Index{1}}}),
               Tensor({2, 3}, {Real(3) / 7, Real(-4) / 7, 0, 0, 0, 0}));
}

TEST(OnnxNewerOps, CumulativeProductsAreThoseOfALoop) {
  for (const Index exclusive : {0, 1}) {
    for (const Index reverse : {0, 1}) {
      const std::vector<Given> attributes{{"exclusive", exclusive}, {"reverse", reverse}};
      const Tensor x = normal({2, 5, 3}, 6);
      List numbers;
      for (Index i = 0; i < 30; ++i) numbers.push_back(i % 7 - 3);
      Tensor right({2, 5, 3});
      std::vector<std::int64_t> whole(30);
      for (Index o = 0; o < 2; ++o) {
        for (Index i = 0; i < 3; ++i) {
          double product = 1;
          Index of_whole = 1;
          for (Index k = 0; k < 5; ++k) {
            const Index at = (o * 5 + (reverse != 0 ? 4 - k : k)) * 3 + i;
            const auto n = static_cast<std::size_t>(at);
            const double before = product;
            const Index whole_before = of_whole;
            product *= static_cast<double>(x[at]);
            of_whole *= numbers[n];
            right[at] = static_cast<Real>(exclusive != 0 ? before : product);
            whole[n] = exclusive != 0 ? whole_before : of_whole;
          }
        }
      }
      expect_close(reals_of("CumProd", {x, WholeInput{{}, {1}}}, attributes, 26), right);
      EXPECT_EQ(whole_of("CumProd", {WholeInput{{2, 5, 3}, numbers}, WholeInput{{}, {-2}}}, attributes, 26),
                (onnx::Integers{{2, 5, 3}, whole}));
    }
  }
}

TEST(OnnxNewerOps, ScatteredUpdatesAreCombinedAsInALoop) {
  Rng rng(7);
  for (const char* how : {"none", "add", "mul", "max", "min"}) {
    for (int round = 0; round < 40; ++round) {
      const Index n = 1 + static_cast<Index>(rng.bits() % 5), count = static_cast<Index>(rng.bits() % 9);
      const Tensor x = normal({n}, rng.bits()), updates = normal({count}, rng.bits());
      List at, whole, of_updates;
      for (Index i = 0; i < n; ++i) whole.push_back(static_cast<Index>(rng.bits() % 9) - 4);
      for (Index i = 0; i < count; ++i) {
        at.push_back(static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(2 * n)) - n);
        of_updates.push_back(static_cast<Index>(rng.bits() % 9) - 4);
      }
      const auto combine = [&](auto a, auto b) {
        const std::string_view name = how;
        return name == "none"  ? b
               : name == "add" ? a + b
               : name == "mul" ? a * b
               : name == "max" ? std::max(a, b)
                               : std::min(a, b);
      };
      Tensor right(x);
      std::vector<std::int64_t> right_whole(whole.begin(), whole.end());
      for (std::size_t i = 0; i < at.size(); ++i) {
        const Index to = at[i] < 0 ? at[i] + n : at[i];
        right[to] = combine(right[to], updates[static_cast<Index>(i)]);
        auto& number = right_whole[static_cast<std::size_t>(to)];
        number = combine(number, of_updates[i]);
      }
      const std::vector<Given> attributes{{"reduction", how}};
      SCOPED_TRACE(how);
      expect_close(reals_of("ScatterElements", {x, list(at), updates}, attributes), right);
      EXPECT_EQ(whole_of("ScatterElements", {list(whole), list(at), list(of_updates)}, attributes).elements,
                right_whole);
      const WholeInput rows{{count, 1}, at};
      expect_close(reals_of("ScatterND", {x, rows, updates}, attributes), right);
      EXPECT_EQ(whole_of("ScatterND", {list(whole), rows, list(of_updates)}, attributes).elements, right_whole);
    }
  }
}

TEST(OnnxNewerOps, CombinedUpdatesHaveTheRightGradients) {
  for (const char* how : {"none", "add", "mul", "max", "min"}) {
    Writer writer;
    const Index shape[] = {3}, count[] = {5};
    writer.input("x", shape);
    writer.input("u", count);
    const std::string at = writer.initializer("at", List{2, 0, 2, -1, 0});  // three updates of element 2
    writer.output(writer.node("ScatterElements", {"x", at, "u"}, {{"reduction", how}}), shape);
    const onnx::Model model = onnx::parse(writer.finished("g", 18), "m");
    const std::vector<Tensor> inputs{Tensor({3}, {Real(0.9), 2, Real(0.4)}),
                                     Tensor({5}, {Real(0.7), Real(1.1), Real(-0.6), Real(0.5), Real(-0.8)})};
    const CheckReport report = check_gradients([&](std::span<const Var> in) { return model.forward(in)[0]; }, inputs);
    EXPECT_TRUE(report) << how << '\n' << to_string(report);
  }
  // A product with zeros: the derivative of one factor is the product of the others.
  Tape tape;
  const Tensor x({1}, {3}), u({2}, {0, 5});
  Writer writer;
  const Index one[] = {1}, two[] = {2};
  writer.input("x", one);
  writer.input("u", two);
  writer.output(
      writer.node("ScatterElements", {"x", writer.initializer("at", List{0, 0}), "u"}, {{"reduction", "mul"}}), one);
  const onnx::Model model = onnx::parse(writer.finished("g", 18), "m");
  const Var in[] = {tape.variable(x), tape.variable(u)};
  tape.backward(model.forward(in)[0]);
  EXPECT_EQ(in[1].grad()[0], 15);
  EXPECT_EQ(in[1].grad()[1], 0);
}

TEST(OnnxNewerOps, SequencesAreWrittenIntoCaches) {
  const Tensor cache = normal({2, 2, 3, 2}, 8), update = normal({2, 2, 2, 2}, 9);
  const List starts{1, 2};
  Tensor right(cache);
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 2; ++h) {
      for (Index t = 0; t < 2; ++t) {
        for (Index i = 0; i < 2; ++i) {
          right.at({b, h, (starts[static_cast<std::size_t>(b)] + t) % 3, i}) = update.at({b, h, t, i});
        }
      }
    }
  }
  expect_close(reals_of("TensorScatter", {cache, update, list(starts)}, {{"mode", "circular"}}, 24), right);
  EXPECT_NE(error_of<Error>([&] {
              reals_of("TensorScatter", {cache, update, list(starts)}, {}, 24);
            }).find("2 steps from 2 on do not fit into 3"),
            std::string::npos);
}

TEST(OnnxNewerOps, ReductionsOfNothingAreTheirIdentities) {
  const std::pair<const char*, double> table[] = {{"ReduceSum", 0},
                                                  {"ReduceProd", 1},
                                                  {"ReduceMax", -infinity},
                                                  {"ReduceMin", infinity},
                                                  {"ReduceL1", 0},
                                                  {"ReduceL2", 0},
                                                  {"ReduceSumSquare", 0},
                                                  {"ReduceLogSum", -infinity},
                                                  {"ReduceLogSumExp", -infinity}};
  for (const auto& [op, right] : table) {
    const Tensor y = reals_of(op, {Tensor({2, 0, 3}), list({1})});
    ASSERT_EQ(y.shape(), (Shape{2, 1, 3})) << op;
    for (const Real v : y) EXPECT_EQ(static_cast<double>(v), right) << op;
  }
  EXPECT_TRUE(std::isnan(reals_of("ReduceMean", {Tensor({0}), list({0})})[0]));
  EXPECT_EQ(whole_of("ReduceMin", {WholeInput{{0}, {}, 6}, list({0})}).elements,
            (std::vector<std::int64_t>{std::numeric_limits<std::int32_t>::max()}));
}

TEST(OnnxNewerOps, ReductionsOfWholeNumbersAreTruncated) {
  Rng rng(10);
  for (int round = 0; round < 300; ++round) {
    List x;
    const Index count = 1 + static_cast<Index>(rng.bits() % 5);
    for (Index i = 0; i < count; ++i) x.push_back(static_cast<Index>(rng.bits() % 41) - 20);
    double l1 = 0, squares = 0, sum = 0, exponentials = 0, product = 1;
    for (const Index v : x) {
      const auto d = static_cast<double>(v);
      l1 += std::abs(d);
      squares += d * d;
      sum += d;
      exponentials += std::exp(d);
      product *= d;
    }
    const auto check = [&](const char* op, double right) {
      EXPECT_EQ(whole_of(op, {list(x)}, {{"keepdims", Index{0}}}).elements,
                (std::vector<std::int64_t>{static_cast<std::int64_t>(right)}))
          << op << ' ' << ::testing::PrintToString(x);
    };
    check("ReduceL1", l1);
    check("ReduceL2", std::sqrt(squares));
    check("ReduceSumSquare", squares);
    check("ReduceProd", product);
    // One number more than the largest is computed exactly: skip sums within rounding of a whole number.
    const double logarithm = std::log(exponentials);
    if (count == 1) check("ReduceLogSumExp", sum);
    if (std::abs(logarithm - std::round(logarithm)) > 1e-9) check("ReduceLogSumExp", logarithm);
    if (sum > 0) check("ReduceLogSum", std::log(sum));
  }
  EXPECT_EQ(whole_of("ReduceMin", {WholeInput{{3}, {1, 0, 1}, 9}}, {{"keepdims", Index{0}}}, 20).elements,
            (std::vector<std::int64_t>{0}));
}

TEST(OnnxNewerOps, RangesHoldTheirBounds) {
  constexpr Index most = std::numeric_limits<Index>::max(), least = std::numeric_limits<Index>::min(),
                  big = Index{1} << 62;
  const auto range = [](Index a, Index b, Index c) {
    return whole_of("Range", {WholeInput{{}, {a}}, WholeInput{{}, {b}}, WholeInput{{}, {c}}}).elements;
  };
  using Right = std::vector<std::int64_t>;
  EXPECT_EQ(range(3, 10, 3), (Right{3, 6, 9}));
  EXPECT_EQ(range(3, -4, -3), (Right{3, 0, -3}));
  EXPECT_EQ(range(3, 3, 1), Right{});
  EXPECT_EQ(range(big + 1, big + 1000, 1).size(), 999U);
  EXPECT_EQ(range(least, most, most), (Right{least, -1, most - 1}));
  const auto scalar = [](Real v) { return Tensor({}, {v}); };
  for (const Real delta : {Real{0}, std::numeric_limits<Real>::quiet_NaN()}) {
    EXPECT_FALSE(error_of<Error>([&] { reals_of("Range", {scalar(1), scalar(1), scalar(delta)}); }).empty()) << delta;
  }
}

TEST(OnnxNewerOps, EinsumIsASumOfProducts) {
  // Each label has one length; all terms of up to three letters, with repeats.
  const std::map<char, Index> lengths{{'i', 2}, {'j', 3}, {'k', 2}, {'l', 1}};
  Rng rng(11);
  for (int round = 0; round < 400; ++round) {
    std::string equation;
    std::vector<std::string> terms(1 + rng.bits() % 3);
    std::vector<AnyInput> reals, whole;
    std::vector<List> numbers;
    std::string used;
    for (std::string& term : terms) {
      for (auto n = rng.bits() % 4; n > 0; --n) term += "ijkl"[rng.bits() % 4];
      Shape shape;
      for (const char c : term) shape = shape.inserted(shape.rank(), lengths.at(c));
      used += term;
      equation += (equation.empty() && &term == terms.data() ? "" : ",") + term;
      List list_of(static_cast<std::size_t>(shape.size()));
      Tensor tensor(shape);
      for (Index i = 0; i < shape.size(); ++i) {
        list_of[static_cast<std::size_t>(i)] = static_cast<Index>(rng.bits() % 7) - 3;
        tensor[i] = static_cast<Real>(list_of[static_cast<std::size_t>(i)]);
      }
      numbers.push_back(list_of);
      whole.emplace_back(WholeInput{shape, list_of});
      reals.emplace_back(std::move(tensor));
    }
    std::string result;
    const bool explicit_result = rng.bits() % 2 == 0;
    for (const char c : std::string("ijkl")) {
      const auto count = std::count(used.begin(), used.end(), c);
      if (explicit_result ? count > 0 && rng.bits() % 2 == 0 : count == 1) result += c;
    }
    if (explicit_result && rng.bits() % 2 == 0) std::reverse(result.begin(), result.end());
    if (explicit_result) equation += "->" + result;
    Shape shape;
    for (const char c : result) shape = shape.inserted(shape.rank(), lengths.at(c));
    std::vector<std::int64_t> right(static_cast<std::size_t>(shape.size()), 0);
    std::map<char, Index> at;
    for (const char c : used) at[c] = 0;
    for (bool more = true; more;) {
      Index product = 1, to = 0;
      for (std::size_t t = 0; t < terms.size(); ++t) {
        Index from = 0;
        for (const char c : terms[t]) from = from * lengths.at(c) + at[c];
        product *= numbers[t][static_cast<std::size_t>(from)];
      }
      for (const char c : result) to = to * lengths.at(c) + at[c];
      right[static_cast<std::size_t>(to)] += product;
      more = false;
      for (auto& [c, i] : at) {
        if (++i < lengths.at(c)) {
          more = true;
          break;
        }
        i = 0;
      }
    }
    SCOPED_TRACE(equation);
    EXPECT_EQ(whole_of("Einsum", whole, {{"equation", equation}}), (onnx::Integers{shape, right}));
    Tensor expected(shape);
    for (Index i = 0; i < shape.size(); ++i) expected[i] = static_cast<Real>(right[static_cast<std::size_t>(i)]);
    expect_close(reals_of("Einsum", reals, {{"equation", equation}}), expected, 1e-3);
  }
}

TEST(OnnxNewerOps, RefuseTypesByName) {
  const std::pair<Index, const char*> types[] = {
      {17, "float8e4m3fn"}, {18, "float8e4m3fnuz"}, {19, "float8e5m2"}, {20, "float8e5m2fnuz"}, {21, "uint4"},
      {22, "int4"},         {23, "float4e2m1"},     {24, "float8e8m0"}, {25, "uint2"},          {26, "int2"}};
  for (const auto& [type, name] : types) {
    const std::string error = error_of<Error>([&, to = type] {
      reals_of("Cast", {Tensor({1}, {1})}, {{"to", to}}, 25);
    });
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace cornu
