#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <regex>
#include <set>

#include "cornu/core/autodiff/trace.h"
#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/tests/core/ops/op_table.h"
#include "cornu/tests/support/check_report.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/run_trace.h"
#include "cornu/tests/support/special_values.h"

namespace cornu::testing {
namespace {

constexpr const char* empty_var = "an empty Var was used: it was never given a value";

/// Values within the row's ranges for every input, no two of them equal or close.
std::vector<Tensor> inputs_for(const OpRow& row, const Sample& sample) {
  Index total = 0;
  for (const Shape& shape : sample.inputs) total += shape.size();
  const std::vector<Index> order = Rng(5).permutation(total);
  std::vector<Tensor> inputs;
  std::size_t next = 0;
  for (std::size_t k = 0; k < sample.inputs.size(); ++k) {
    const Range range = row.ranges[std::min(k, row.ranges.size() - 1)];
    Tensor input(sample.inputs[k]);
    for (Real& number : input) {
      const Real place = (static_cast<Real>(order[next++]) + Real(0.5)) / static_cast<Real>(total);
      number = range.low + (range.high - range.low) * place;
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

std::vector<Var> put_on(Tape& tape, const std::vector<Tensor>& inputs) {
  std::vector<Var> result;
  for (const Tensor& input : inputs) result.push_back(tape.variable(input));
  return result;
}

Exact expected_of(const Sample& sample, const std::vector<Tensor>& inputs) {
  return sample.expected(std::vector<Exact>(inputs.begin(), inputs.end()));
}

bool same_bits(const ConstView& a, const ConstView& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0);
}

class Op : public ::testing::TestWithParam<OpRow> {
 protected:
  const OpRow& row() const { return GetParam(); }
};

TEST_P(Op, HasAtLeastEightSamples) { EXPECT_GE(row().samples.size(), 8u); }

TEST_P(Op, EqualsTheReferenceImplementation) {
  const long double allowed = 16 * static_cast<long double>(std::numeric_limits<Real>::epsilon());
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    const std::vector<Tensor> inputs = inputs_for(row(), sample);
    const Exact expected = expected_of(sample, inputs);
    Tape tape;
    const ConstView got = sample.on_tape(put_on(tape, inputs)).value();
    ASSERT_EQ(to_string(got.shape()), to_string(expected.shape));
    for (Index i = 0; i < got.size(); ++i) {
      const long double want = expected.values[static_cast<std::size_t>(i)];
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got[i])) << "at " << i;
      } else {
        ASSERT_NEAR(static_cast<double>(got[i] - want), 0,
                    static_cast<double>(allowed * std::max(1.0L, std::abs(want))))
            << "at " << i;
      }
    }
  }
}

TEST_P(Op, HasTheGradientOfFiniteDifferences) {
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    const CheckReport report = check_gradients(sample.on_tape, inputs_for(row(), sample));
    EXPECT_EQ(failures(report), "");
    EXPECT_GE(report.lines.size(), 2 * sample.inputs.size());
  }
}

TEST_P(Op, GivesTheSameBitsEagerlyAndOnTapesOfBothModes) {
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    const std::vector<Tensor> inputs = inputs_for(row(), sample);
    Tape training(Mode::training), inference(Mode::inference);
    const Var y = sample.on_tape(put_on(training, inputs)), quick = sample.on_tape(put_on(inference, inputs));
    EXPECT_TRUE(y.wants_gradient());
    EXPECT_FALSE(quick.wants_gradient());
    EXPECT_TRUE(same_bits(y.value(), quick.value()));
    EXPECT_TRUE(same_bits(y.value(), sample.eagerly(inputs)));
    EXPECT_EQ(error_of<StateError>([&] { inference.backward(quick, Tensor(quick.shape())); }),
              "backward: this tape is in inference mode, which records no backward rules");
  }
}

/// A trace names each op and holds all that its result depends on: run from the trace, it gives the same bits.
TEST_P(Op, GivesTheSameBitsFromItsTrace) {
  if (row().op == "affine_transform") GTEST_SKIP() << "augmentation, which inference does not call";
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    const std::vector<Tensor> inputs = inputs_for(row(), sample);
    const Trace traced = trace(
        [&](Tape& tape, std::span<const Var>) {
          std::vector<Var> operands;
          for (const Tensor& input : inputs) operands.push_back(tape.input(input));
          return std::vector{sample.on_tape(operands)};
        },
        {}, {});
    Tape tape(Mode::inference), again(Mode::inference);
    EXPECT_TRUE(same_bits(sample.on_tape(put_on(tape, inputs)).value(), run_trace(traced, again, {}).front().value()))
        << to_string(traced);
  }
}

TEST_P(Op, PropagatesNaNAndCreatesNone) {
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    std::vector<Tensor> inputs = inputs_for(row(), sample);
    for (Tensor& input : inputs) {
      for (const Index at : std::set<Index>{0, input.size() / 2, input.size() - 1}) {
        if (input.empty()) continue;
        const Real old = std::exchange(input[at], nan);
        Tape tape;
        const Exact expected = expected_of(sample, inputs);
        const ConstView got = sample.on_tape(put_on(tape, inputs)).value();
        Index count = 0;
        for (Index i = 0; i < got.size(); ++i) {
          const bool wanted = std::isnan(expected.values[static_cast<std::size_t>(i)]);
          ASSERT_EQ(std::isnan(got[i]), wanted) << "at " << i << " for a NaN at " << at;
          count += wanted ? 1 : 0;
        }
        EXPECT_TRUE(count > 0 || got.size() == 0 || !row().uses_every_element) << "for a NaN at " << at;
        input[at] = old;
      }
    }
  }
}

TEST_P(Op, AcceptsParametersAsOperands) {
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(sample.what);
    const std::vector<Tensor> inputs = inputs_for(row(), sample);
    std::vector<Parameter> parameters;
    for (const Tensor& input : inputs) parameters.push_back({input});
    Tape plain, tape;
    const std::vector<Var> variables = put_on(plain, inputs);
    const Var y = sample.on_tape(variables);
    Tensor gradient(y.shape());
    Rng(3).fill_uniform(gradient, -1, 1);
    const Gradients expected = plain.backward(y, gradient);
    for (const ParameterForm& form : row().parameter_forms) {
      if (sample.has_options || form.is_parameter.size() != inputs.size()) continue;
      tape.clear();
      const std::vector<Var> others = put_on(tape, inputs);
      const Var same = form.apply(others, parameters);
      EXPECT_TRUE(same_bits(same.value(), y.value()));
      const Gradients got = tape.backward(same, gradient);
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        EXPECT_EQ(others[k].has_gradient(), !form.is_parameter[k]);
        EXPECT_TRUE(same_bits(form.is_parameter[k] ? got[parameters[k]] : got[others[k]], expected[variables[k]]));
      }
    }
  }
}

TEST_P(Op, RejectsShapesThatDoNotMatch) {
  Tape tape;
  for (const ExpectedError& error : row().errors) {
    EXPECT_EQ(error_of<ShapeError>([&] { error.action(tape); }), error.text);
  }
}

TEST_P(Op, RejectsEmptyStaleAndForeignVars) {
  const Sample& sample = row().samples.front();
  const std::vector<Tensor> inputs = inputs_for(row(), sample);
  Tape tape, other;
  const std::vector<Var> good = put_on(tape, inputs), foreign = put_on(other, inputs);
  for (std::size_t k = 0; k < good.size(); ++k) {
    std::vector<Var> mixed = good;
    mixed[k] = Var();
    EXPECT_EQ(error_of<StateError>([&] { sample.on_tape(mixed).shape(); }), empty_var) << "input " << k;
    mixed[k] = foreign[k];
    if (good.size() == 1) continue;
    EXPECT_EQ(error_of<StateError>([&] { sample.on_tape(mixed); }),
              "an op was given values of two tapes; all operands must be on the same tape")
        << "input " << k;
  }
  tape.clear();
  EXPECT_EQ(error_of<StateError>([&] { sample.on_tape(good).shape(); }),
            "a Var was used after its tape was cleared: values live for one pass");
}

INSTANTIATE_TEST_SUITE_P(Core, Op, ::testing::ValuesIn(op_table()), [](const auto& test) { return test.param.name; });

/// The functions of a header that return a Var, or several, except those in namespace detail.
std::set<std::string> public_ops(const std::string& header) {
  std::ifstream file(header);
  EXPECT_TRUE(file) << header;
  const std::regex declaration(R"(\b(?:Var>?|TopK)[ (](operator[-+*/]|\w+)\)?\()");
  std::set<std::string> names;
  bool in_detail = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "namespace detail {") in_detail = true;
    if (line == "}  // namespace detail") in_detail = false;
    std::smatch match;
    if (!in_detail && std::regex_search(line, match, declaration)) names.insert(match[1]);
  }
  return names;
}

TEST(OpTable, HasARowForEveryPublicOp) {
  std::set<std::string> rows;
  for (const OpRow& row : op_table()) rows.insert(row.op);
  std::set<std::string> ops = public_ops(testing::source_path("core/ops/ops.h"));
  ops.merge(public_ops(testing::source_path("core/ops/comparisons.h")));
  ops.merge(public_ops(testing::source_path("core/ops/indexing.h")));
  ops.merge(public_ops(testing::source_path("core/ops/images.h")));
  ops.merge(public_ops(testing::source_path("core/ops/sequences.h")));
  EXPECT_EQ(ops, rows);
}

}  // namespace
}  // namespace cornu::testing
