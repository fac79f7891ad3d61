#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

long double sigmoid_of(long double x) { return 1 / (1 + std::exp(-x)); }

/// The state of a recurrence by its formula, one element at a time, for one sample.
struct Recurrent {
  const Exact &x, &kernel, &recurrent;
  Index units = recurrent.shape[0], width = kernel.shape[1];

  /// Column j of (x_t kernel), and of (h recurrent_kernel).
  long double of_input(Index sample, Index t, Index j) const {
    long double sum = 0;
    for (Index i = 0; i < x.shape[2]; ++i) {
      sum += x.values[at((sample * x.shape[1] + t) * x.shape[2] + i)] * kernel.values[at(i * width + j)];
    }
    return sum;
  }
  long double of_state(const Numbers& h, Index j) const {
    long double sum = 0;
    for (Index i = 0; i < static_cast<Index>(h.size()); ++i) sum += h[at(i)] * recurrent.values[at(i * width + j)];
    return sum;
  }
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  /// step(sample, t, h) returns the next h. Before the first step h is empty, and its product is skipped.
  template <class Step>
  Exact states(const RecurrentOptions& options, Step step) const {
    const Index steps = x.shape[1];
    Exact result(options.return_sequences ? Shape{x.shape[0], steps, units} : Shape{x.shape[0], units});
    result.values.clear();
    for (Index sample = 0; sample < x.shape[0]; ++sample) {
      Numbers h;
      for (Index turn = 0; turn < steps; ++turn) {
        h = step(sample, options.go_backwards ? steps - 1 - turn : turn, h);
        if (options.return_sequences || turn == steps - 1) {
          result.values.insert(result.values.end(), h.begin(), h.end());
        }
      }
    }
    return result;
  }
};

Exact lstm_reference(const Exact& x, const Exact& kernel, const Exact& recurrent, const Exact& bias,
                     const RecurrentOptions& options) {
  const Recurrent r{x, kernel, recurrent};
  Numbers c;
  return r.states(options, [&](Index sample, Index t, const Numbers& h) {
    const auto gate = [&](Index j) {
      return r.of_input(sample, t, j) + r.of_state(h, j) + (bias.values.empty() ? 0 : bias.values[Recurrent::at(j)]);
    };
    if (h.empty()) c.assign(Recurrent::at(r.units), 0);
    Numbers next;
    for (Index j = 0; j < r.units; ++j) {
      long double& cell = c[Recurrent::at(j)];
      cell = sigmoid_of(gate(r.units + j)) * cell + sigmoid_of(gate(j)) * std::tanh(gate(2 * r.units + j));
      next.push_back(sigmoid_of(gate(3 * r.units + j)) * std::tanh(cell));
    }
    return next;
  });
}

Exact gru_reference(const Exact& x, const Exact& kernel, const Exact& recurrent, const Exact& bias,
                    const RecurrentOptions& options) {
  const Recurrent r{x, kernel, recurrent};
  return r.states(options, [&](Index sample, Index t, const Numbers& h) {
    const auto bias_of = [&](Index row, Index j) {
      return bias.values.empty() ? 0 : bias.values[Recurrent::at(row * r.width + j)];
    };
    const auto input = [&](Index j) { return r.of_input(sample, t, j) + bias_of(0, j); };
    const auto state = [&](Index j) { return r.of_state(h, j) + bias_of(1, j); };
    Numbers next;
    for (Index j = 0; j < r.units; ++j) {
      const long double s = sigmoid_of(input(j) + state(j)),
                        reset = sigmoid_of(input(r.units + j) + state(r.units + j));
      const long double candidate = std::tanh(input(2 * r.units + j) + reset * state(2 * r.units + j));
      next.push_back(s * (h.empty() ? 0 : h[Recurrent::at(j)]) + (1 - s) * candidate);
    }
    return next;
  });
}

/// A row for an op with the given number of gates and bias rows. `f` is overloaded for Var and Tensor, with and
/// without a bias.
template <class F, class Reference>
OpRow recurrent_row(const std::string& op, const std::string& name, Index gates, Index biases, F f,
                    Reference reference) {
  OpRow row{.op = op, .name = name, .ranges = {{-2, 2}, {-1, 1}}, .samples = {}};
  const auto add = [&](const Shape& x, Index units, const RecurrentOptions& options = {}) {
    const bool with_bias = row.samples.size() % 3 != 2;
    const Index width = gates * units;
    Sample sample{.what = message("{} of {} with {} units{}{}{}", op, x, units, with_bias ? ", bias" : "",
                                  options.return_sequences ? ", return_sequences" : "",
                                  options.go_backwards ? ", go_backwards" : ""),
                  .inputs = {x, {x[2], width}, {units, width}},
                  .on_tape = [=](std::span<const Var> v) { return f(v[0], v[1], v[2], options); },
                  .eagerly = [=](std::span<const Tensor> v) { return f(v[0], v[1], v[2], options); },
                  .expected = [=](std::span<const Exact> v) { return reference(v[0], v[1], v[2], Exact(), options); },
                  .has_options = options.return_sequences || options.go_backwards};
    if (with_bias) {
      sample.inputs.push_back(biases == 1 ? Shape{width} : Shape{biases, width});
      sample.on_tape = [=](std::span<const Var> v) { return f(v[0], v[1], v[2], v[3], options); };
      sample.eagerly = [=](std::span<const Tensor> v) { return f(v[0], v[1], v[2], v[3], options); };
      sample.expected = [=](std::span<const Exact> v) { return reference(v[0], v[1], v[2], v[3], options); };
    }
    row.samples.push_back(sample);
  };
  add({1, 1, 1}, 1);
  add({2, 3, 2}, 3);
  add({2, 3, 2}, 3);
  for (const RecurrentOptions& options :
       {RecurrentOptions{.return_sequences = true}, RecurrentOptions{.go_backwards = true},
        RecurrentOptions{.return_sequences = true, .go_backwards = true}}) {
    add({1, 4, 2}, 2, options);
    add({3, 1, 2}, 2, options);
    add({2, 3, 1}, 5, options);
    add({0, 2, 3}, 2, options);
  }
  add({1, 2, 3}, 17);  // more units than a vector has lanes
  add({5, 2, 0}, 2);   // no features: only the bias
  add({5, 2, 0}, 2);
  add({1, 6, 1}, 1);
  row.uses_every_element = false;  // with a single step the recurrent kernel is not used
  row.parameter_forms = {
      {{false, true, true, true}, [f](auto x, auto p) { return f(x[0], p[1], p[2], p[3], RecurrentOptions{}); }},
      {{false, true, true}, [f](auto x, auto p) { return f(x[0], p[1], p[2], RecurrentOptions{}); }},
      {{false, false, true, false}, [f](auto x, auto p) { return f(x[0], x[1], p[2], x[3], RecurrentOptions{}); }}};

  const Index width = 2 * gates;
  const std::string wanted = message(
      "; x (batch, steps, in), kernel (in, {} units), recurrent kernel (units, {} units) and bias ({}{} units) "
      "are required",
      gates, gates, biases == 1 ? "" : "2, ", gates);
  const auto refuses = [&](const std::string& text, const Shape& x, const Shape& kernel, const Shape& recurrent,
                           const Shape& bias) {
    row.errors.push_back({op + ": " + text, [=](Tape& t) {
                            f(of(t, x), of(t, kernel), of(t, recurrent), of(t, bias), RecurrentOptions{});
                          }});
  };
  const Shape x{1, 4, 3}, kernel{3, width}, recurrent{2, width};
  const Shape bias = biases == 1 ? Shape{width} : Shape{biases, width};
  const auto given = [](const Shape& a, const Shape& b, const Shape& c, const Shape& d) {
    return message("x is {}, the kernel {}, the recurrent kernel {}, the bias {}", a, b, c, d);
  };
  const Shape flat{4, 3}, short_kernel{2, width}, square{2, 2}, long_bias{width + 1};
  refuses(given(flat, kernel, recurrent, bias) + wanted, flat, kernel, recurrent, bias);
  refuses(given(x, short_kernel, recurrent, bias) + wanted, x, short_kernel, recurrent, bias);
  refuses(given(x, kernel, square, bias) + wanted, x, kernel, square, bias);
  refuses(given(x, kernel, recurrent, long_bias) + wanted, x, kernel, recurrent, long_bias);
  row.errors.push_back(
      {op + message(": x is (1, 3), the kernel {}, the recurrent kernel {}", kernel, recurrent) + wanted, [=](Tape& t) {
         f(of(t, {1, 3}), of(t, kernel), of(t, recurrent), RecurrentOptions{});
       }});
  refuses("x is (1, 0, 3); at least one step is required", {1, 0, 3}, kernel, recurrent, bias);
  return row;
}

}  // namespace

std::vector<OpRow> sequence_rows() {
  return {recurrent_row(
              "lstm", "Lstm", 4, 1, [](const auto&... arguments) { return lstm(arguments...); }, lstm_reference),
          recurrent_row(
              "gru", "Gru", 3, 2, [](const auto&... arguments) { return gru(arguments...); }, gru_reference)};
}

}  // namespace cornu::testing
