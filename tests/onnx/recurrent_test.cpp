#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"

/// LSTM, GRU and RNN compared with plain loops over the equations of ONNX's Operators.md.
namespace cornu {
namespace {

using testing::expect_close;
using testing::Given;
using testing::normal;
using testing::Writer;

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

struct Recurrence {
  bool is_lstm, linear_before_reset, batch_first;
  std::string direction;
  Index steps, batch, in, units;
  Tensor x, w, r, b, h, c, p;  // empty: not given
  bool is_rnn = false;
  std::vector<std::string> activations{};  // for each direction one to three; empty: not given
  std::vector<double> alphas{}, betas{};   // of the activations; empty: not given
  double clip = 0;                         // 0: not given
  bool input_forget = false;
  std::vector<Index> lengths{};  // of the sequences; empty: not given

  Index directions() const { return direction == "bidirectional" ? 2 : 1; }
  Index gates() const { return is_rnn ? 1 : is_lstm ? 4 : 3; }
  std::string type() const { return is_rnn ? "RNN" : is_lstm ? "LSTM" : "GRU"; }
  Index functions() const { return is_rnn ? 1 : is_lstm ? 3 : 2; }
  /// Function `which` of direction d.
  double activated(double v, Index d, Index which) const {
    const auto place = static_cast<std::size_t>(d * functions() + which);
    const std::string name = !activations.empty() ? activations[place] : which == 0 && !is_rnn ? "Sigmoid" : "Tanh";
    const auto number = [&](const std::vector<double>& given, double otherwise) {
      return given.empty() ? otherwise : given[place];
    };
    if (clip > 0) v = std::clamp(v, -clip, clip);
    if (name == "Sigmoid") return sigmoid_of(v);
    if (name == "Relu") return std::max(v, 0.0);
    if (name == "Affine") return number(alphas, 1) * v + number(betas, 0);
    if (name == "LeakyRelu") return v < 0 ? number(alphas, 0.01) * v : v;
    if (name == "ThresholdedRelu") return v >= number(alphas, 1) ? v : 0;
    if (name == "ScaledTanh") return number(alphas, 1) * std::tanh(number(betas, 1) * v);
    if (name == "HardSigmoid") return std::clamp(number(alphas, 0.2) * v + number(betas, 0.5), 0.0, 1.0);
    if (name == "Elu") return v < 0 ? number(alphas, 1) * std::expm1(v) : v;
    if (name == "Softsign") return v / (1 + std::abs(v));
    if (name == "Softplus") return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
    return std::tanh(v);
  }
};

struct Result {
  Tensor y, y_h, y_c;
};

double number(const Tensor& t, Index i) { return t.size() == 0 ? 0 : static_cast<double>(t[i]); }

/// Computes all outputs step by step; x is (steps, batch, in) in either layout.
Result expected_recurrence(const Recurrence& k) {
  const Index n = k.units, g = k.gates();
  Result result{Tensor({k.steps, k.directions(), k.batch, n}), Tensor({k.directions(), k.batch, n}),
                Tensor({k.directions(), k.batch, n})};
  for (Index d = 0; d < k.directions(); ++d) {
    const bool backwards = d == 1 || k.direction == "reverse";
    for (Index sample = 0; sample < k.batch; ++sample) {
      std::vector<double> h, c;
      for (Index j = 0; j < n; ++j) {
        h.push_back(number(k.h, (d * k.batch + sample) * n + j));
        c.push_back(number(k.c, (d * k.batch + sample) * n + j));
      }
      const Index length = k.lengths.empty() ? k.steps : k.lengths[static_cast<std::size_t>(sample)];
      for (Index turn = 0; turn < length; ++turn) {
        const Index t = backwards ? length - 1 - turn : turn;
        const auto from_input = [&](Index gate, Index j) {
          double sum = number(k.b, d * 2 * g * n + gate * n + j);
          for (Index i = 0; i < k.in; ++i) {
            sum += number(k.w, ((d * g + gate) * n + j) * k.in + i) * number(k.x, (t * k.batch + sample) * k.in + i);
          }
          return sum;
        };
        const auto from_state = [&](Index gate, Index j, const std::vector<double>& state) {
          double sum = number(k.b, d * 2 * g * n + (g + gate) * n + j);
          for (Index i = 0; i < n; ++i) {
            sum += number(k.r, ((d * g + gate) * n + j) * n + i) * state[static_cast<std::size_t>(i)];
          }
          return sum;
        };
        std::vector<double> next_h(h), next_c(c);
        for (Index j = 0; j < n; ++j) {
          const auto at = static_cast<std::size_t>(j);
          if (k.is_lstm) {  // i, o, f, c; peepholes i, o, f
            const auto gate = [&](Index which, double cell) {
              return k.activated(
                  from_input(which, j) + from_state(which, j, h) + number(k.p, d * 3 * n + which * n + j) * cell, d, 0);
            };
            const double in = gate(0, c[at]), forget = k.input_forget ? 1 - in : gate(2, c[at]);
            next_c[at] = forget * c[at] + in * k.activated(from_input(3, j) + from_state(3, j, h), d, 1);
            next_h[at] = gate(1, next_c[at]) * k.activated(next_c[at], d, 2);
          } else if (k.is_rnn) {
            next_h[at] = k.activated(from_input(0, j) + from_state(0, j, h), d, 0);
          } else {  // z, r, h
            const auto gate = [&](Index which, Index unit) {
              return k.activated(from_input(which, unit) + from_state(which, unit, h), d, 0);
            };
            double candidate = 0;
            if (k.linear_before_reset) {
              candidate = k.activated(from_input(2, j) + gate(1, j) * from_state(2, j, h), d, 1);
            } else {
              std::vector<double> reset(h);
              for (Index i = 0; i < n; ++i) reset[static_cast<std::size_t>(i)] *= gate(1, i);
              candidate = k.activated(from_input(2, j) + from_state(2, j, reset), d, 1);
            }
            next_h[at] = (1 - gate(0, j)) * candidate + gate(0, j) * h[at];
          }
        }
        h = next_h;
        c = next_c;
        for (Index j = 0; j < n; ++j) {
          result.y.at({t, d, sample, j}) = static_cast<Real>(h[static_cast<std::size_t>(j)]);
        }
      }
      for (Index j = 0; j < n; ++j) {
        result.y_h.at({d, sample, j}) = static_cast<Real>(h[static_cast<std::size_t>(j)]);
        result.y_c.at({d, sample, j}) = static_cast<Real>(c[static_cast<std::size_t>(j)]);
      }
    }
  }
  return result;
}

/// Swaps axes 0 and 1 for layout 1.
Tensor in_layout(const Tensor& t, bool batch_first) {
  if (!batch_first || t.size() == 0) return t;
  const Shape s = t.shape();
  Tensor result({s[1], s[0], s[2]});
  for (Index i = 0; i < s[0]; ++i) {
    for (Index j = 0; j < s[1]; ++j) {
      for (Index k = 0; k < s[2]; ++k) result.at({j, i, k}) = t.at({i, j, k});
    }
  }
  return result;
}

TEST(OnnxRecurrent, MatchesTheEquationsForAnyListedOutputs) {
  Rng rng(25);
  const auto draw = [&](Index least, Index most) {
    return least + static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most - least + 1));
  };
  for (int round = 0; round < 300; ++round) {
    const Index kind = draw(0, 2);
    Recurrence k{.is_lstm = kind == 1,
                 .linear_before_reset = draw(0, 1) == 1,
                 .batch_first = draw(0, 3) == 0,
                 .direction = std::array{"forward", "reverse", "bidirectional"}[rng.bits() % 3],
                 .steps = draw(1, 4),
                 .batch = draw(1, 3),
                 .in = draw(1, 3),
                 .units = draw(1, 4),
                 .x = {},
                 .w = {},
                 .r = {},
                 .b = {},
                 .h = {},
                 .c = {},
                 .p = {},
                 .is_rnn = kind == 2};
    std::uint64_t seed = static_cast<std::uint64_t>(round) * 10;
    const auto numbers = [&](const Shape& shape) { return normal(shape, ++seed); };
    const Index d = k.directions(), rows = k.gates() * k.units;
    k.x = numbers({k.steps, k.batch, k.in});
    // Small weights: activations without bounds must not let the states grow.
    const auto small_numbers = [&](const Shape& shape) {
      Tensor result = numbers(shape);
      for (Index i = 0; i < result.size(); ++i) result[i] *= Real{0.25};
      return result;
    };
    k.w = small_numbers({d, rows, k.in});
    k.r = small_numbers({d, rows, k.units});
    if (draw(0, 3) > 0) k.b = numbers({d, 2 * rows});
    if (draw(0, 2) == 0) k.h = draw(0, 3) == 0 ? Tensor({d, k.batch, k.units}) : numbers({d, k.batch, k.units});
    if (k.is_lstm && draw(0, 2) == 0) k.c = numbers({d, k.batch, k.units});
    if (k.is_lstm && draw(0, 3) == 0) k.p = small_numbers({d, 3 * k.units});

    Writer writer;
    const Tensor x = in_layout(k.x, k.batch_first);
    writer.input("x", x.shape().dimensions());
    std::vector<std::string> inputs{"x", writer.initializer("w", k.w), writer.initializer("r", k.r)};
    const auto optional = [&](const char* name, const Tensor& t) {
      inputs.push_back(t.size() == 0 ? "" : writer.initializer(name, t));
    };
    optional("b", k.b);
    const Index given_lengths = draw(0, 2);
    for (Index i = 0; i < k.batch && given_lengths > 0; ++i) {
      k.lengths.push_back(given_lengths == 1 ? k.steps : draw(0, k.steps));
    }
    // The lengths are part of the file, or an input of the graph.
    const bool asks_for_lengths = given_lengths > 0 && draw(0, 1) == 1;
    std::map<std::string, Tensor> given{{"x", x}};
    if (asks_for_lengths) {
      const Index shape[] = {k.batch};
      writer.input("lengths", shape, onnx::detail::Kind::integer);
      Tensor& lengths = given["lengths"] = Tensor({k.batch});
      for (Index i = 0; i < k.batch; ++i) lengths[i] = static_cast<Real>(k.lengths[static_cast<std::size_t>(i)]);
    }
    inputs.push_back(k.lengths.empty() ? "" : asks_for_lengths ? "lengths" : writer.initializer("lengths", k.lengths));
    optional("h", in_layout(k.h, k.batch_first));
    if (k.is_lstm) {
      optional("c", in_layout(k.c, k.batch_first));
      optional("p", k.p);
    }
    // Each output may be omitted, declared, or declared and used.
    std::vector<std::string> outputs, used;
    for (const char* name : {"y", "y_h", "y_c"}) {
      if (!k.is_lstm && std::string(name) == "y_c") continue;
      const Index how = draw(0, 3);
      outputs.emplace_back(how == 0 ? "" : name);
      if (how > 1) used.emplace_back(name);
    }
    if (used.empty()) continue;
    while (outputs.back().empty()) outputs.pop_back();
    std::vector<Given> attributes{
        {"direction", std::string_view(k.direction)}, {"hidden_size", k.units}, {"layout", Index{k.batch_first}}};
    if (draw(0, 2) > 0) {
      static constexpr std::array names{"Affine",   "Elu",        "HardSigmoid",    "LeakyRelu",
                                        "Relu",     "ScaledTanh", "Sigmoid",        "Softplus",
                                        "Softsign", "Tanh",       "ThresholdedRelu"};
      for (Index i = 0; i < d * k.functions(); ++i) k.activations.emplace_back(names[rng.bits() % names.size()]);
      attributes.push_back({"activations", k.activations});
    }
    // The file gives numbers only for the activations that have them, in their order.
    if (!k.activations.empty() && draw(0, 1) == 1) {
      std::vector<double> alphas, betas;
      for (const std::string& name : k.activations) {
        const bool has_beta = name == "Affine" || name == "HardSigmoid" || name == "ScaledTanh",
                   has_alpha = has_beta || name == "Elu" || name == "LeakyRelu" || name == "ThresholdedRelu";
        k.alphas.push_back(static_cast<double>(draw(1, 6)) / 8);
        k.betas.push_back(static_cast<double>(draw(1, 6)) / 8);
        if (has_alpha) alphas.push_back(k.alphas.back());
        if (has_beta) betas.push_back(k.betas.back());
      }
      if (!alphas.empty()) attributes.push_back({"activation_alpha", alphas});
      if (!betas.empty()) attributes.push_back({"activation_beta", betas});
    }
    if (draw(0, 3) == 0) k.clip = 0.5;
    if (k.clip > 0) attributes.push_back({"clip", k.clip});
    k.input_forget = k.is_lstm && draw(0, 3) == 0;
    if (k.input_forget) attributes.push_back({"input_forget", Index{1}});
    if (kind == 0) attributes.push_back({"linear_before_reset", Index{k.linear_before_reset}});
    writer.node_of(k.type(), "", inputs, outputs, attributes, "node");
    for (const std::string& name : used) writer.output(name, {});
    const auto came = onnx::parse(writer.finished("g", 14), "m").run(given);

    const Result right = expected_recurrence(k);
    SCOPED_TRACE(round);
    if (came.count("y") != 0) {
      Tensor y = right.y;
      if (k.batch_first) {
        y = Tensor({k.batch, k.steps, d, k.units});
        for (Index i = 0; i < y.size(); ++i) {
          const Index j = i % k.units, which = i / k.units % d, t = i / k.units / d % k.steps;
          y[i] = right.y.at({t, which, i / k.units / d / k.steps, j});
        }
      }
      expect_close(came.at("y"), y);
    }
    if (came.count("y_h") != 0) expect_close(came.at("y_h"), in_layout(right.y_h, k.batch_first));
    if (came.count("y_c") != 0) expect_close(came.at("y_c"), in_layout(right.y_c, k.batch_first));
  }
}

TEST(OnnxRecurrent, StatesAndCellsHaveGradients) {
  for (const bool is_lstm : {true, false}) {
    for (const Index after : {0, 1}) {
      Writer writer;
      const Index gates = is_lstm ? 4 : 3;
      const std::vector<Shape> shapes{
          {3, 2, 2}, {1, gates * 2, 2}, {1, gates * 2, 2}, {1, gates * 4}, {1, 2, 2}, {1, 2, 2}, {1, 6}};
      const std::vector<std::string> names{"x", "w", "r", "b", "h", "c", "p"};
      std::vector<std::string> inputs;
      std::vector<Tensor> values;
      for (std::size_t i = 0; i < (is_lstm ? 7U : 5U); ++i) {
        writer.input(names[i], shapes[i].dimensions());
        if (i == 4) inputs.emplace_back();
        inputs.push_back(names[i]);
        values.push_back(normal(shapes[i], i + 3));
      }
      std::vector<std::string> outputs{"y", "y_h"};
      if (is_lstm) outputs.emplace_back("y_c");
      const Given attribute[] = {{"linear_before_reset", after}};
      writer.node_of(is_lstm ? "LSTM" : "GRU", "", inputs, outputs, std::span(attribute, is_lstm ? 0 : 1), "node");
      for (const std::string& name : outputs) writer.output(name, {});
      const onnx::Model model = onnx::parse(writer.finished("g"), "m");
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        const CheckReport report =
            check_gradients([&](std::span<const Var> in) { return model.forward(in)[i]; }, values);
        EXPECT_TRUE(report) << outputs[i] << '\n' << to_string(report);
      }
    }
  }
}

TEST(OnnxRecurrent, ReturnsAllOutputsOfAPyTorchExport) {
  const onnx::Model model = testing::fixture("lstm_all");
  for (const Index batch : {1, 2}) {
    const auto made = model.run({{"input", normal({batch, 6, 3}, 1)}});
    const Tensor &all = made.at("out0"), &last = made.at("out1"), &cell = made.at("out2");
    ASSERT_EQ(all.shape(), (Shape{batch, 6, 5}));
    ASSERT_EQ(last.shape(), (Shape{1, batch, 5}));
    ASSERT_EQ(cell.shape(), (Shape{1, batch, 5}));
    for (Index i = 0; i < batch; ++i) {
      for (Index j = 0; j < 5; ++j) {
        EXPECT_EQ(last.at({0, i, j}), all.at({i, 5, j}));
        EXPECT_GT(std::abs(cell.at({0, i, j})), std::abs(last.at({0, i, j})));  // h = o tanh(c)
      }
    }
  }
}

TEST(OnnxRecurrent, SaysWhichActivationsAreKnown) {
  const auto refusal = [](std::vector<std::string> activations) {
    Writer writer;
    const Index shape[] = {3, 2, 2};
    writer.input("x", shape);
    const std::vector<std::string> y{"y"},
        inputs{"x", writer.initializer("w", normal({2, 2, 2}, 1)), writer.initializer("r", normal({2, 2, 2}, 1))};
    const Given attributes[] = {{"direction", std::string_view("bidirectional")},
                                {"activations", std::move(activations)}};
    writer.node_of("RNN", "", inputs, y, attributes, "node");
    writer.output("y", {});
    const onnx::Model model = onnx::parse(writer.finished("g"), "m");
    return testing::error_of<Error>([&] { model.predict(normal({3, 2, 2}, 1)); });
  };
  EXPECT_EQ(refusal({"Tanh", "Swish"}),
            "m: node 'node' (RNN): activation 1 is Swish; Affine, Elu, HardSigmoid, LeakyRelu, Relu, ScaledTanh, "
            "Sigmoid, Softplus, Softsign, Tanh and ThresholdedRelu are known");
  EXPECT_EQ(refusal({"Tanh"}), "m: node 'node' (RNN): 1 activations; 1 for each direction are required");
}

TEST(OnnxRecurrent, SaysWhatIsWrongWithStatesAndLengths) {
  const auto refusal = [](const Tensor& state, std::vector<Index> lengths) {
    Writer writer;
    const Index shape[] = {3, 2, 2};
    writer.input("x", shape);
    const std::vector<std::string> y{"y"},
        inputs{"x", writer.initializer("w", normal({1, 8, 2}, 1)), writer.initializer("r", normal({1, 8, 2}, 1)),
               "",  writer.initializer("lengths", lengths),        writer.initializer("h", state)};
    writer.node_of("LSTM", "", inputs, y, {}, "node");
    writer.output("y", {});
    const onnx::Model model = onnx::parse(writer.finished("g"), "m");
    return testing::error_of<Error>([&] { model.predict(normal({3, 2, 2}, 1)); });
  };
  EXPECT_EQ(refusal(Tensor({1, 2, 2}), {3, 4}),
            "m: node 'node' (LSTM): sequence_mask: length 4 at 1; whole numbers from 0 to 3 are required");
  EXPECT_EQ(refusal(Tensor({1, 2, 2}), {3}), "m: node 'node' (LSTM): 1 sequence_lens for a batch of 2");
  EXPECT_EQ(refusal(Tensor({2, 1, 2}), {3, 3}),
            "m: node 'node' (LSTM): an initial state of shape (2, 1, 2); (1, 2, 2) is required");
}

}  // namespace
}  // namespace cornu
