#include "cornu/core/gradcheck.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"
#include "cornu/tests/support/check_report.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu::testing {
namespace {

std::string first_failure_of(const DifferentiableFunction& f, const std::vector<Tensor>& inputs) {
  const std::string text = failures(check_gradients(f, inputs));
  return text.substr(0, text.find('\n'));
}

/// x^2 with the given backward rule: rule(dx, 2 x g).
template <class Rule>
Var square_with(Var x, Rule rule) {
  const Var y = x.tape().output(x.shape(), {x});
  assign(overwrite(y.out()), [v = x.value().data()](Index i) { return v[i] * v[i]; });
  return y.backward([=] {
    if (const Sink dx = x.sink()) {
      rule(dx, [v = x.value().data(), g = y.grad().data()](Index i) { return 2 * v[i] * g[i]; });
    }
  });
}

const Tensor& two_values() {
  static const Tensor x = Tensor::vector({Real(0.25), 3});
  return x;
}

TEST(CheckGradients, PassesACorrectRule) {
  const CheckReport report = check_gradients(
      [](auto x) { return square_with(x[0], [](const Sink& dx, auto f) { assign(dx, f); }); }, {two_values()});
  EXPECT_TRUE(report) << to_string(report);
  ASSERT_EQ(report.lines.size(), 4u);
  EXPECT_TRUE(report.lines[0].text.starts_with("gradient of input 0 (2,): relative error "));
  EXPECT_TRUE(report.lines[1].text.starts_with("gradient of input 0 (2,), used twice: relative error "));
  EXPECT_TRUE(report.lines[2].text.starts_with("a step of minimize with SGD: relative error "));
  EXPECT_TRUE(report.lines[3].text.starts_with("a step of minimize with Adam: relative error "));
}

TEST(CheckGradients, FindsAWrongFactorAndNamesTheElement) {
  const std::string text = first_failure_of(
      [](auto x) {
        return square_with(x[0], [](const Sink& dx, auto f) { assign(dx, [=](Index i) { return f(i) * 3 / 2; }); });
      },
      {two_values()});
  EXPECT_TRUE(text.starts_with(
      "gradient of input 0 (2,): relative error 0.33 for output 1 with respect to element 1: the gradient "
      "is 9, expected "))
      << text;
  EXPECT_TRUE(text.ends_with(std::is_same_v<Real, double> ? " (at most 1e-07 allowed)" : " (at most 0.01 allowed)"))
      << text;
}

TEST(CheckGradients, FindsARuleThatForgetsToAccumulate) {
  const std::string text = first_failure_of(
      [](auto x) { return square_with(x[0], [](const Sink& dx, auto f) { assign(overwrite(dx.view()), f); }); },
      {two_values()});
  EXPECT_TRUE(text.starts_with(
      "gradient of input 0 (2,), used twice: relative error 0.5 for output 1 with respect to element 1: "
      "the gradient is 3, expected 6 "))
      << text;
}

TEST(CheckGradients, FindsARuleThatNeverOverwrites) {
  const std::string text = first_failure_of(
      [](auto x) { return square_with(x[0], [](const Sink& dx, auto f) { assign(accumulate_into(dx.view()), f); }); },
      {two_values()});
  EXPECT_TRUE(text.starts_with("gradient of input 0 (2,): relative error ")) << text;
}

TEST(CheckGradients, FindsANaNInAGradient) {
  const std::string text = first_failure_of(
      [](auto x) {
        return square_with(x[0],
                           [](const Sink& dx, auto f) { assign(dx, [=](Index i) { return f(i) * 0 / Real(0); }); });
      },
      {two_values()});
  EXPECT_TRUE(text.starts_with("gradient of input 0 (2,): relative error ")) << text;
  EXPECT_NE(text.find("nan"), std::string::npos) << text;
}

TEST(CheckGradients, FindsAnInputThatTheRuleIgnores) {
  const DifferentiableFunction f = [](std::span<const Var> v) {
    const Var x = v[0], z = v[1], y = x.tape().output(x.shape(), {x, z});
    assign(overwrite(y.out()), [=](Index i) { return x.value()[i] * z.value()[i]; });
    return y.backward([=] {
      if (const Sink dx = x.sink()) assign(dx, [=](Index i) { return y.grad()[i] * z.value()[i]; });
    });
  };
  const CheckReport report = check_gradients(f, {two_values(), two_values()});
  EXPECT_TRUE(report.lines[0].passed);
  const std::string text = failures(report);
  EXPECT_TRUE(text.starts_with(
      "gradient of input 1 (2,): relative error 1 for output 1 with respect to element 1: the gradient is "
      "0, expected "))
      << text;
}

TEST(CheckGradients, FindsAGradientThatIsOnlyComputedWithAnother) {
  const DifferentiableFunction f = [](std::span<const Var> v) {
    const Var x = v[0], z = v[1], y = x.tape().output(x.shape(), {x, z});
    assign(overwrite(y.out()), [=](Index i) { return x.value()[i] + z.value()[i]; });
    return y.backward([=] {
      if (const Sink dx = x.sink()) {
        copy(y.grad(), dx);
        if (const Sink dz = z.sink()) copy(y.grad(), dz);
      }
    });
  };
  const std::string text = failures(check_gradients(f, {two_values(), two_values()}));
  EXPECT_EQ(text.substr(0, text.find(" (at most")),
            "gradient of input 1 (2,), computed alone: relative error 1 for output 0 with respect to element 0: the "
            "gradient is 0, "
            "expected 1");
}

TEST(CheckGradients, RepeatsRandomNumbersInEveryEvaluation) {
  const CheckReport report =
      check_gradients([](auto x) { return x[0] * x[0].tape().rng().uniform(1, 2); }, {two_values()});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(CheckGradients, PassesAFunctionThatIgnoresAnInput) {
  const CheckReport report = check_gradients([](auto x) { return square(x[0]); }, {two_values(), Tensor(Shape{0, 3})});
  EXPECT_TRUE(report) << to_string(report);
  EXPECT_TRUE(check_gradients([](auto x) { return x[0].tape().constant(1); }, {two_values()}));
}

TEST(CheckGradients, DoesNotChangeItsInputs) {
  const std::vector<Tensor> inputs = {two_values()};
  check_gradients([](auto x) { return exp(x[0]); }, inputs);
  EXPECT_EQ(inputs[0], two_values());
}

TEST(CheckGradients, ThrowsWithoutInputs) {
  EXPECT_EQ(error_of<ValueError>([] { check_gradients([](auto) { return Var(); }, {}); }),
            "check_gradients: no inputs were given; at least one is required");
}

TEST(CheckReport, PrintsALineForEveryCheck) {
  CheckReport report;
  EXPECT_TRUE(report) << "nothing has failed";
  report.add(true, "this holds");
  report.add(false, "this does not");
  EXPECT_FALSE(report);
  EXPECT_EQ(to_string(report),
            "ok      this holds\n"
            "FAILED  this does not\n");
}

}  // namespace
}  // namespace cornu::testing
