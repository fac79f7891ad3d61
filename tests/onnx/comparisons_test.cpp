#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/special_values.h"

/// Comparisons and reductions of special values: NaN, infinities, ties.
namespace cornu {
namespace {

using testing::fixture;
using testing::Given;
using testing::infinity;
using testing::List;
using testing::nan;
using testing::normal;
using testing::Writer;

TEST(OnnxComparisons, InfinityEqualsItselfAndNaNNothing) {
  const Tensor x = Tensor::vector({1, infinity, -infinity, nan, 0});
  EXPECT_EQ(fixture("equal_inf").predict(x), Tensor::vector({1, 1, 1, 0, 1}));
}

TEST(OnnxComparisons, TreatSpecialValuesLikeNumPy) {
  const Real values[] = {0, Real(-0.0), 1, -1, infinity, -infinity, nan, Real(1e-30)};
  Writer writer;
  const Index column[] = {8, 1}, row[] = {8};
  writer.input("a", column);
  writer.input("b", row);
  const std::string c = writer.node("Equal", {"a", "b"});
  const auto both = [&](const char* op) { return writer.node(op, {"a", "b"}, {}, op); };
  const std::string most = both("Max"), least = both("Min");
  const std::string chosen = writer.node("Where", {c, "a", "b"}, {}, "Where");
  const std::string zero = writer.initializer("zero", Tensor::scalar(0)),
                    one = writer.initializer("one", Tensor::scalar(1));
  const std::string clipped = writer.node("Clip", {"a", zero, one}, {}, "Clip"), positive = writer.node("Relu", {"a"});
  const std::string largest = writer.node("ReduceMax", {most}, {{"axes", List{1}}}, "ReduceMax");
  const std::string first = writer.node("ArgMax", {most}, {{"axis", Index{1}}}, "first"),
                    last = writer.node("ArgMax", {most}, {{"axis", Index{1}}, {"select_last_index", Index{1}}}, "last");
  for (const std::string& name : {c, most, least, chosen, clipped, positive, largest, first, last})
    writer.output(name, {});
  Tensor a({8, 1}), b(Shape{8});
  std::copy(std::begin(values), std::end(values), a.begin());
  std::copy(std::begin(values), std::end(values), b.begin());
  const auto came = onnx::parse(writer.finished("g", 13)).run({{"a", a}, {"b", b}});
  const auto expect_same = [](Real x, Real right, const std::string& what) {
    EXPECT_TRUE(x == right || (std::isnan(x) && std::isnan(right))) << what << ": " << x << ", not " << right;
  };
  for (Index i = 0; i < 8; ++i) {
    for (Index j = 0; j < 8; ++j) {
      const Real x = values[i], y = values[j];
      const bool is_nan = std::isnan(x) || std::isnan(y);
      expect_same(came.at(c).at({i, j}), x == y ? 1 : 0, "Equal");
      expect_same(came.at(most).at({i, j}), is_nan ? nan : x > y ? x : y, "Max");
      expect_same(came.at(least).at({i, j}), is_nan ? nan : x < y ? x : y, "Min");
      expect_same(came.at(chosen).at({i, j}), x == y ? x : y, "Where");
    }
    const Real x = values[i];
    expect_same(came.at(clipped)[i], std::isnan(x) ? nan : x < 0 ? 0 : x > 1 ? 1 : x, "Clip");
    expect_same(came.at(positive)[i], std::isnan(x) ? nan : x < 0 ? 0 : x, "Relu");
    expect_same(came.at(largest)[i], nan, "ReduceMax");
    expect_same(came.at(first)[i], std::isnan(x) ? 0 : 6, "ArgMax");
    expect_same(came.at(last)[i], std::isnan(x) ? 7 : 6, "ArgMax of the last");
  }
}

TEST(OnnxReductions, WithoutAxesAreTheIdentityIfNoopWithEmptyAxesIsSet) {
  const Tensor x = normal({2, 3}, 1);
  EXPECT_EQ(fixture("rsum_noop1_emptyname").predict(x), x);
  for (const bool noop : {false, true}) {
    for (const char* axes : {"absent", "unnamed", "empty"}) {
      Writer writer;
      const Index shape[] = {2, 3};
      writer.input("x", shape);
      std::vector<std::string> inputs{"x"};
      if (axes == std::string("unnamed")) inputs.emplace_back();
      if (axes == std::string("empty")) inputs.push_back(writer.initializer("axes", std::span<const Index>()));
      const Given given[] = {{"noop_with_empty_axes", Index{noop}}, {"keepdims", Index{0}}};
      writer.output(writer.node("ReduceSum", inputs, given, "sum"), {});
      const Tensor y = onnx::parse(writer.finished("g", 13)).predict(x);
      EXPECT_EQ(y.shape(), noop ? x.shape() : Shape()) << axes;
      if (!noop) continue;
      EXPECT_EQ(y, x) << axes;
    }
  }
}

}  // namespace
}  // namespace cornu
