#include "cornu/core/autodiff/trace.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cornu/core/autodiff/rewrites.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/run_trace.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::run_trace;

Tensor counted(const Shape& shape) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(i % 7) - Real(2.5);
  return result;
}

/// A trace of a function of one input.
template <class F>
Trace traced(const Shape& sample, F f, const TracedParameters& parameters = {}) {
  return trace([&](Tape&, std::span<const Var> x) { return std::vector{f(x.front())}; }, std::vector{sample},
               parameters);
}

/// The outputs of `f` and of its trace for batches of 1, 2 and 5 samples.
template <class F>
void expect_same(const Trace& trace, const Shape& sample, F f, double tolerance = 0) {
  for (const Index batch : {1, 2, 5}) {
    const Tensor x = counted(sample.batched(batch));
    Tape tape(Mode::inference);
    const Tensor want(f(tape.samples(x)).value()), got = run_trace(trace, {x});
    ASSERT_EQ(got.shape(), want.shape());
    for (Index i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << "batch " << batch << " at " << i;
  }
}

TEST(Trace, PrintsOpsWithShapesAndNames) {
  const Parameter kernel{counted({6, 4})}, bias{counted({4})};
  const Trace got = traced({2, 3},
                           [&](Var x) {
                             return leaky_relu(affine(reshape(x, {x.shape()[0], 6}), kernel, bias), 0.5) * 2;
                           },
                           {{"dense/kernel", &kernel}, {"dense/bias", &bias}});
  EXPECT_EQ(to_string(got),
            "input: (batch, 2, 3)\n"
            "%1 = reshape(input) -> (batch, 6)\n"
            "%4 = affine(%1, dense/kernel, dense/bias) -> (batch, 4)\n"
            "%5 = leaky_relu(%4, negative_slope = 0.5) -> (batch, 4)\n"
            "%7 = multiply(%5, 2) -> (batch, 4)\n"
            "return %7\n");
  EXPECT_NE(to_dot(got).find("v1 -> v4 [label=\"(batch, 6)\"]"), std::string::npos) << to_dot(got);
  EXPECT_NE(to_dot(got).find("v4 [label=\"affine dense/kernel dense/bias\"]"), std::string::npos);
}

TEST(Trace, FindsWhatDependsOnTheBatch) {
  const Trace got = traced({4, 3}, [](Var x) {
    const Index batch = x.shape()[0];
    return reshape(concatenate({reshape(x, {batch * 4, 3}), x.tape().constant(counted({2, 3}))}, 0), {-1});
  });
  EXPECT_EQ(to_string(got.values[got.outputs.front()].shape), "(12 batch + 6,)");
  EXPECT_EQ(got.values[got.outputs.front()].at(10), Shape({126}));
  EXPECT_TRUE(got.mixes_samples);
}

TEST(Trace, RepeatsARowForEachSample) {
  const auto f = [](Var x) { return x * 2 + x.tape().constant(Tensor::full({x.shape()[0], 3}, 4)); };
  const Trace got = traced({3}, f);
  EXPECT_NE(to_string(got).find("= repeat(constant"), std::string::npos) << to_string(got);
  expect_same(got, {3}, f);
}

TEST(Trace, RefusesWhatItCannotSayOfEveryBatch) {
  EXPECT_EQ(error_of<ValueError>([] { traced({3}, [](Var x) { return x.shape()[0] == 2 ? exp(x) : log(x); }); }),
            "trace: the model calls other ops for another size of the batch");
  EXPECT_EQ(error_of<ValueError>([] { traced({3}, [](Var x) { return slice_axis(x, 0, 0, x.shape()[0]); }); }),
            "trace: slice_axis: an option depends on the size of the batch");
  EXPECT_EQ(error_of<ValueError>([] { traced({3}, [](Var x) { return x * static_cast<double>(x.shape()[0]); }); }),
            "trace: multiply: a constant depends on the size of the batch");
  EXPECT_EQ(error_of<ValueError>([] { traced({3}, [](Var x) { return x + x.tape().constant(counted(x.shape())); }); }),
            "trace: add: a constant of shape (batch, 3) depends on the size of the batch");
  const auto refused = [](const std::function<Var(Var)>& f) { return error_of<ValueError>([&] { traced({3}, f); }); };
  const std::string other_ops = "trace: the model calls other ops for another size of the batch";
  EXPECT_EQ(refused([](Var x) {
              const Var a = exp(x), b = sqrt(x);
              return x.shape()[0] == 2 ? a : b;
            }),
            other_ops);
  EXPECT_EQ(refused([](Var x) {
              const Index batch = x.shape()[0];
              return batch == 2 ? reshape(x, {batch * 3}) : reshape(x, {batch, 3, 1, 1});
            }),
            other_ops);
  EXPECT_EQ(refused([](Var x) { return slice_axis(x, 0, 0, x.shape()[0] / 2); }),
            "trace: slice_axis: an option depends on the size of the batch");
  EXPECT_EQ(refused([](Var x) {
              const Index batch = x.shape()[0];
              return reshape(matmul(x, x, {.transpose_b = true}), {batch * batch});
            }),
            "trace: the model: an axis of its operand does not grow by the same number for each sample");
  EXPECT_EQ(refused([](Var x) {
              const Real first = x.value()[0];
              return x * (first + 2);
            }),
            "trace: multiply: a constant is computed from the values of the inputs");
  EXPECT_EQ(refused([](Var x) {
              Var y = x.tape().output({3}, std::span<const Var>(), "counts");
              std::fill(y.out().begin(), y.out().end(), static_cast<Real>(x.shape()[0]));
              return x + y;
            }),
            "trace: counts: its result depends on the size of the batch");
}

TEST(Trace, AResultWithARowForEachSampleIsNotAConstant) {
  const Parameter row{counted({3})};
  const auto rows = [&](Var x) {
    Var y = x.tape().output(x.shape(), {x.tape().parameter(row)}, "rows");
    for (Index i = 0; i < y.size(); ++i) y.out()[i] = row.value[i % 3];
    return x * y;
  };
  Trace got = traced({3}, rows);
  fold_constants(got);
  EXPECT_EQ(got.ops.size(), 2u) << to_string(got);
}

TEST(Trace, ABranchOnValuesIsTracedAsItRanOnZeros) {
  const Trace got = traced({3}, [](Var x) { return x.value()[0] > 0 ? exp(x) : tanh(x); });
  EXPECT_EQ(got.ops.front().name, "tanh");
}

TEST(Trace, AttributesHaveTypes) {
  const Trace::Op op{"conv2d", {{"groups", Index{2}}, {"relu", true}}};
  EXPECT_EQ(op.integer("groups"), 2);
  EXPECT_TRUE(op.flag("relu"));
  EXPECT_EQ(error_of<ValueError>([&] { op.flag("groups"); }), "the op conv2d has no attribute groups of this type");
}

TEST(Trace, LeavesOutWhatNoOutputDependsOn) {
  const auto f = [](Var x) {
    x.tape().add_loss(sum(exp(x)) / static_cast<double>(x.shape()[0]));
    return -x;
  };
  const Trace got = traced({3}, f);
  ASSERT_EQ(got.ops.size(), 1u);
  EXPECT_EQ(got.ops.front().name, "negate");
  expect_same(got, {3}, f);
}

TEST(Trace, AnOpWithoutANameIsRecorded) {
  const auto doubled = [](Var x) {
    Var y = x.tape().output(x.shape(), {x});
    for (Index i = 0; i < x.size(); ++i) y.out()[i] = 2 * x.value()[i];
    return y;
  };
  const Trace got = traced({3}, doubled);
  ASSERT_EQ(got.ops.size(), 1u);
  EXPECT_EQ(got.ops[0].name, "");
  EXPECT_NE(to_string(got).find("(an op without a name)(input)"), std::string::npos);
}

// ---- Rewrites ----

std::vector<std::string> names(const Trace& trace) {
  std::vector<std::string> result;
  for (const Trace::Op& op : trace.ops) result.push_back(op.name);
  return result;
}
using Names = std::vector<std::string>;

TEST(Rewrites, FuseABiasIntoItsProduct) {
  const Parameter kernel{counted({6, 2})}, bias{counted({2})};
  const auto sum = [&](Var x) { return x.tape().parameter(bias) + matmul(x, kernel); };
  Trace got = traced({6}, sum, {{"kernel", &kernel}, {"bias", &bias}});
  fuse_bias(got);
  EXPECT_EQ(names(got), (Names{"affine"}));
  expect_same(got, {6}, sum);
  const auto twice = [&](Var x) {
    const Var product = matmul(x, kernel);
    return (product + bias) * product;
  };
  Trace read_twice = traced({6}, twice, {{"kernel", &kernel}, {"bias", &bias}});
  fuse_bias(read_twice);
  EXPECT_EQ(names(read_twice), (Names{"matmul", "add", "multiply"}));
  const auto wider = [&](Var x) { return matmul(x, kernel) + x.tape().constant(counted({2, 1, 2})); };
  Trace broadcast = traced({6}, wider, {{"kernel", &kernel}});
  fuse_bias(broadcast);
  EXPECT_EQ(names(broadcast), (Names{"matmul", "add"}));
}

TEST(Rewrites, FoldWhatDependsOnNoInput) {
  const Parameter kernel{counted({2, 3, 2})}, scale{counted({2})};
  const auto f = [&](Var x) {
    return matmul(x, reshape(x.tape().parameter(kernel), {6, 2})) * exp(x.tape().parameter(scale));
  };
  Trace got = traced({6}, f, {{"kernel", &kernel}, {"scale", &scale}});
  fold_constants(got);
  EXPECT_EQ(names(got), (Names{"matmul", "multiply"}));
  const Trace::Value& folded = got.operand(got.ops[0], 1);
  EXPECT_EQ(folded.kind, Trace::Kind::parameter);
  EXPECT_EQ(folded.name, "kernel");
  EXPECT_EQ(folded.data.data(), kernel.value.data()) << "not a copy";
  EXPECT_EQ(got.operand(got.ops[1], 1).kind, Trace::Kind::constant);
  expect_same(got, {6}, f);
}

TEST(Rewrites, MergeEqualOps) {
  const auto f = [](Var x) {
    const Var a = exp(x), b = exp(x), c = sum(x, 1, {.keepdims = true}), d = sum(x, 1, {.keepdims = true});
    const Var e = sum(x, 1);
    return a * c + b * d + reshape(e, {-1, 1});
  };
  Trace got = traced({3}, f);
  merge_equal_ops(got);
  const auto count = [&](std::string_view name) {
    return std::count_if(got.ops.begin(), got.ops.end(), [&](const Trace::Op& op) { return op.name == name; });
  };
  EXPECT_EQ(count("exp"), 1);
  EXPECT_EQ(count("sum"), 2) << "one for each value of keepdims";
  EXPECT_EQ(count("multiply"), 1);
  expect_same(got, {3}, f);
}

TEST(Rewrites, DoNotMergeReshapesToOtherShapes) {
  const auto f = [](Var x) {
    const Var p = reshape(x, {-1, 2, 3}), q = reshape(x, {-1, 3, 2});
    return reshape(transpose(p, {0, 2, 1}), {-1, 6}) - reshape(transpose(q, {0, 2, 1}), {-1, 6});
  };
  Trace got = traced({6}, f);
  merge_equal_ops(got);
  expect_same(got, {6}, f);
}

TEST(Rewrites, FoldAnOpWithoutOperands) {
  Trace got = traced({3}, [](Var x) {
    Var y = x.tape().output({3}, std::span<const Var>(), "ones");
    std::fill(y.out().begin(), y.out().end(), Real{1});
    return x + y;
  });
  fold_constants(got);
  EXPECT_EQ(got.ops.size(), 1u);
}

TEST(Rewrites, MergeTransposes) {
  const auto f = [](Var x) {
    const Var y = transpose(x, {0, 2, 1, 3});
    return matmul(y, transpose(transpose(x, {0, 2, 3, 1}), {0, 1, 3, 2}), {.transpose_b = true}) +
           matmul(x, x, {.transpose_a = true}) * 0;
  };
  const auto square = [&](Var x) { return f(reshape(x, {x.shape()[0], 2, 2, 2})); };
  Trace got = traced({8}, square);
  merge_transposes(got);
  remove_unused_ops(got);
  EXPECT_EQ(std::count_if(got.ops.begin(), got.ops.end(), [](const Trace::Op& op) { return op.name == "transpose"; }),
            3)
      << to_string(got);
  expect_same(got, {8}, square);
}

TEST(Rewrites, RemoveUnusedOps) {
  Trace got = traced({3}, [](Var x) { return log(exp(-x)); });
  got.outputs = {got.ops.front().result};
  remove_unused_ops(got);
  EXPECT_EQ(names(got), Names{"negate"});
  expect_same(got, {3}, [](Var x) { return -x; });
}

TEST(Rewrites, FoldBatchNormalizationIntoProducts) {
  const Parameter kernel{counted({3, 3, 2, 4})}, bias{counted({4})}, mean{counted({4})},
      variance{Tensor({4}, {1, 2, 3, 4})}, scale{Tensor({4}, {1, -1, 2, 0})}, depthwise{counted({2, 2, 4, 1})},
      dense{counted({4, 4})};
  const auto normalized = [&](Var x) { return batch_normalization(x, mean, variance, scale, bias); };
  const auto f = [&](Var x) {
    Var y = normalized(conv2d(x, kernel, bias));
    y = normalized(depthwise_conv2d(y, depthwise));
    return normalized(affine(normalized(matmul(y, dense)), dense, bias));
  };
  Trace got = traced({5, 5, 2}, f);
  fold_batch_normalization(got);
  EXPECT_EQ(names(got), (Names{"conv2d", "depthwise_conv2d", "affine", "affine"}));
  expect_same(got, {5, 5, 2}, f, 1e-2 * (std::is_same_v<Real, double> ? 1e-9 : 1));
}

TEST(Rewrites, LeaveABatchNormalizationOfAValueThatIsReadElsewhere) {
  const Parameter dense{counted({4, 4})}, window{counted({1, 1, 4, 4})}, row{Tensor::full({4}, 1)};
  const auto normalized = [&](Var x) { return batch_normalization(x, row, row, row, row); };
  const auto f = [&](Var x) {
    const Var y = matmul(x, dense), image = reshape(x, {-1, 1, 1, 4});
    const Var fused = normalized(conv2d(image, window, {.relu = true}));
    return normalized(y) + y + reshape(fused, {-1, 4}) + normalized(exp(x));
  };
  Trace got = traced({4}, f);
  const std::size_t before = got.ops.size();
  fold_batch_normalization(got);
  EXPECT_EQ(got.ops.size(), before) << to_string(got);
}

}  // namespace
}  // namespace cornu
