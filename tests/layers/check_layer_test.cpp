#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/ops/ops.h"
#include "cornu/layers/check_layer.h"
#include "cornu/tests/support/check_report.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu::testing {
namespace {

/// A typical user's layer: y = x w, where w has the shape of a sample.
struct Scale {
  Parameter w{};

  Shape build(const Shape& input, Rng& rng) {
    w.value = Tensor(input);
    rng.fill_uniform(w.value, 1, 2);
    return input;
  }
  Var forward(Var x) const { return x * w; }
  NamedParameters parameters() { return {{"w", &w}}; }
};

struct Swish {
  Var forward(Var x) const { return x * sigmoid(x); }
};

TEST(CheckLayer, ReportsEveryCheck) {
  const CheckReport report = check_layer(Scale(), {2, 2});
  EXPECT_TRUE(report) << to_string(report);
  const std::vector<std::string> beginnings = {
      "build says (3, 2, 2), forward returns (3, 2, 2)",
      "two runs with one seed have the same bits",
      "forward changes no parameter",
      "parameters() lists every trainable Parameter that forward reads",
      "gradient of the input (3, 2, 2): relative error ",
      "gradient of the input (3, 2, 2), used twice: relative error ",
      "gradient of the input (3, 2, 2), computed alone: relative error ",
      "gradient of w (2, 2): relative error ",
      "gradient of w (2, 2), used twice: relative error ",
      "gradient of w (2, 2), computed alone: relative error ",
      "a step of minimize with SGD: relative error ",
      "a step of minimize with Adam: relative error ",
      "a copy is independent of the original",
      "4 of 4 threads predict the same bits as one thread alone",
  };
  ASSERT_EQ(report.lines.size(), beginnings.size()) << to_string(report);
  for (std::size_t i = 0; i < beginnings.size(); ++i) {
    EXPECT_TRUE(report.lines[i].text.starts_with(beginnings[i])) << report.lines[i].text;
  }
}

TEST(CheckLayer, PassesALayerWithOnlyForward) {
  const CheckReport report = check_layer(Swish(), {4});
  EXPECT_TRUE(report) << to_string(report);
  EXPECT_EQ(report.lines.size(), 10u) << to_string(report);
}

TEST(CheckLayer, AcceptsScalarSamplesEmptySamplesAndOneThread) {
  EXPECT_TRUE(check_layer(Swish(), {}));
  EXPECT_TRUE(check_layer(Swish(), {0}));
  EXPECT_TRUE(check_layer(Scale(), {3}, {.batch = 1, .threads = 1}));
  EXPECT_TRUE(check_layer(Scale(), {3}, {.batch = 0}));
}

TEST(CheckLayer, LeavesTheLayerUnchanged) {
  const Scale layer;
  check_layer(layer, {3});
  EXPECT_TRUE(layer.w.value.empty()) << "check_layer builds a copy";
}

TEST(CheckLayer, PassesALayerThatUsesTheTapesRng) {
  struct Noise {
    Var forward(Var x) const { return x.tape().training() ? x * x.tape().rng().uniform(1, 2) : x; }
  };
  const CheckReport report = check_layer(Noise(), {3});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(CheckLayer, PassesALayerWhoseOutputIgnoresTheInput) {
  struct Constant {
    Parameter c{Tensor::matrix({{1, 2}})};
    Var forward(Var x) const { return matmul(x.tape().constant(Tensor::full({x.shape()[0], 1}, 1)), c); }
    NamedParameters parameters() { return {{"c", &c}}; }
  };
  CheckReport report = check_layer(Constant(), {3});
  EXPECT_TRUE(report) << to_string(report);
  struct Nothing {
    Var forward(Var x) const { return x.tape().constant(Tensor({x.shape()[0], 1})); }
  };
  report = check_layer(Nothing(), {3});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(CheckLayer, ChecksWithTheGivenInput) {
  struct Relu {
    Var forward(Var x) const { return relu(x); }
  };
  const Tensor away = Tensor::matrix({{1, -1}, {2, -3}}), at_the_kink = Tensor::matrix({{1, -1}, {0, -3}});
  EXPECT_TRUE(check_layer(Relu(), {2}, {.batch = 2, .input = away}));
  EXPECT_FALSE(check_layer(Relu(), {2}, {.batch = 2, .input = at_the_kink}));
  EXPECT_EQ(error_of<ShapeError>([&] { check_layer(Relu(), {2}, {.batch = 3, .input = away}); }),
            "check_layer: options.input has shape (2, 2), expected (3, 2)");
}

TEST(CheckLayer, DetectsAWrongShapeFromBuild) {
  struct Wrong : Scale {
    Shape build(const Shape& input, Rng& rng) { return Scale::build(input, rng).with(0, 7); }
  };
  EXPECT_EQ(failures(check_layer(Wrong(), {2})), "build says (3, 7), forward returns (3, 2)\n");
}

TEST(CheckLayer, DetectsAParameterThatForwardDoesNotRead) {
  struct Unread : Scale {
    Parameter bias{Tensor::vector({1, 2})};
    NamedParameters parameters() { return {{"w", &w}, {"bias", &bias}}; }
  };
  EXPECT_EQ(failures(check_layer(Unread(), {2})), "gradient of bias (2,): forward does not read this parameter\n");
}

TEST(CheckLayer, DetectsAParameterThatIsNotListed) {
  struct Unlisted : Scale {
    Parameter bias{Tensor::vector({1, 2})};
    Var forward(Var x) const { return x * w + bias; }
  };
  EXPECT_EQ(failures(check_layer(Unlisted(), {2})),
            "forward reads a Parameter (2,) that parameters() does not list; it would not be trained\n");
  struct NoList {
    Parameter gain{Tensor::vector({1, 2})};
    Var forward(Var x) const { return x * gain; }
  };
  EXPECT_EQ(failures(check_layer(NoList(), {2})),
            "forward reads a Parameter (2,) that parameters() does not list; it would not be trained\n");
}

TEST(CheckLayer, DetectsAParameterReadBypassingTheTape) {
  struct Past : Scale {
    Var forward(Var x) const { return x * w * w.value[0]; }
  };
  const std::string text = failures(check_layer(Past(), {2}));
  EXPECT_TRUE(text.starts_with("gradient of w (2,): relative error ")) << text;
}

TEST(CheckLayer, DetectsAProductWhoseFactorChangesBeforeTheStep) {
  struct Hasty {  // x w, with a backward rule that clears a factor's memory too early
    Parameter w{Tensor::matrix({{1, 2}, {3, 4}})};
    Var forward(Var x) const {
      const Var factor = x.tape().parameter(w), y = x.tape().output(x.shape(), {x, factor});
      gemm(x.value(), factor.value(), overwrite(y.out()));
      return y.backward([=] {
        if (const Sink dx = x.sink()) gemm(y.grad(), transposed(factor.value()), dx);
        const View g = y.tape().scratch(y.shape());
        std::copy(y.grad().begin(), y.grad().end(), g.begin());
        factor.add_product(transposed(MatrixView(x.value())), g);
        std::fill(g.begin(), g.end(), Real{0});
      });
    }
    NamedParameters parameters() { return {{"w", &w}}; }
  };
  const std::string text = failures(check_layer(Hasty(), {2}));
  EXPECT_TRUE(text.starts_with("a step of minimize with SGD: relative error ")) << text;
  EXPECT_NE(text.find("; w (2, 2): element "), std::string::npos) << text;
  EXPECT_NE(text.find("\na step of minimize with Adam: relative error "), std::string::npos) << text;
}

/// x w^T w, with a state that follows w.
struct Square {
  Parameter w{Tensor::matrix({{1, 2}, {3, 4}})}, follower{Tensor::matrix({{0, 0}, {0, 0}}), false};
  Var forward(Var x) const {
    Tape& tape = x.tape();
    tape.record_update(follower, tape.parameter(w));
    return matmul(x, matmul(w, tape.parameter(w), {.transpose_a = true}));
  }
  NamedParameters parameters() { return {{"w", &w}, {"follower", &follower}}; }
};

TEST(CheckLayer, PassesALayerThatMultipliesItsWeightsAndRecordsThem) {
  const CheckReport report = check_layer(Square(), {2});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(CheckLayer, DetectsCopiesThatShareParameters) {
  struct Shared {
    std::shared_ptr<Parameter> w = std::make_shared<Parameter>(Parameter{Tensor::vector({1, 2})});
    Var forward(Var x) const { return x * *w; }
    NamedParameters parameters() { return {{"w", w.get()}}; }
  };
  EXPECT_EQ(failures(check_layer(Shared(), {2})),
            "a copy is independent of the original: changing its parameters changed both\n");
}

TEST(CheckLayer, DetectsANondeterministicForward) {
  struct Counting {
    std::shared_ptr<std::atomic<int>> calls = std::make_shared<std::atomic<int>>(0);
    Var forward(Var x) const { return x + ++*calls; }
  };
  const std::string text = failures(check_layer(Counting(), {2}));
  EXPECT_NE(text.find("two runs with one seed have the same bits\n"), std::string::npos) << text;
}

TEST(CheckLayer, DetectsStateSharedByThreads) {
  // Threads overwrite each other's `last`. With a single thread, the layer is correct.
  struct Racing {
    std::shared_ptr<std::atomic<Real>> last = std::make_shared<std::atomic<Real>>(Real{0});
    Var forward(Var x) const {
      const Real mine = x.value()[0];
      *last = mine;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return x * (*last == mine ? 1 : 2);
    }
  };
  const std::string text = failures(check_layer(Racing(), {2}));
  EXPECT_TRUE(text.ends_with(" of 4 threads predict the same bits as one thread alone\n")) << text;
}

TEST(CheckLayer, DetectsAForwardThatThrowsInSomeThreads) {
  struct Throwing {
    std::thread::id home = std::this_thread::get_id();
    Var forward(Var x) const {
      if (std::this_thread::get_id() != home) throw StateError("not here");
      return x;
    }
  };
  EXPECT_EQ(failures(check_layer(Throwing(), {2})), "0 of 4 threads predict the same bits as one thread alone\n");
}

/// Keeps a moving mean of its inputs, like batch normalisation.
struct Centre {
  Parameter mean_seen{Tensor::vector({1, 2}), false};
  Var forward(Var x) const {
    Tape& tape = x.tape();
    if (!tape.training()) return x - mean_seen;
    const Var now = mean(x, 0);
    tape.record_update(mean_seen, 0.9 * tape.parameter(mean_seen) + 0.1 * now);
    return x - now;
  }
  NamedParameters parameters() { return {{"mean_seen", &mean_seen}}; }
};

TEST(CheckLayer, ChecksStateThatIsNotTrained) {
  const CheckReport report = check_layer(Centre(), {2});
  EXPECT_TRUE(report) << to_string(report);
  EXPECT_NE(to_string(report).find("ok      state mean_seen (2,): read and updated\n"), std::string::npos)
      << to_string(report);
}

TEST(CheckLayer, DetectsUnusedState) {
  struct Unused : Swish {
    Parameter count{Tensor::vector({1, 2}), false};
    NamedParameters parameters() { return {{"count", &count}}; }
  };
  EXPECT_EQ(failures(check_layer(Unused(), {2})), "state count (2,): forward neither reads nor updates it\n");
}

TEST(CheckLayer, DetectsAForwardThatChangesItsStateInPlace) {
  struct Impatient {
    mutable Parameter count{Tensor::scalar(0), false};
    Var forward(Var x) const {
      count.value[0] += 1;
      return x * (count.value[0] >= 0 ? 1 : 2);
    }
    NamedParameters parameters() { return {{"count", &count}}; }
  };
  const std::string text = failures(check_layer(Impatient(), {2}, {.threads = 1}));
  EXPECT_TRUE(text.starts_with("forward changes a parameter; record an update instead\n")) << text;
}

}  // namespace
}  // namespace cornu::testing
