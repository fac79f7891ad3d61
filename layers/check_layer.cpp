#include "cornu/layers/check_layer.h"

#include <algorithm>
#include <exception>
#include <new>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck_sources.h"
#include "cornu/core/kernels/team.h"
#include "cornu/layers/chain.h"

namespace cornu::detail {

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(reinterpret_cast<const std::byte*>(a.begin()), reinterpret_cast<const std::byte*>(a.end()),
                    reinterpret_cast<const std::byte*>(b.begin()));
}

Tensor run(const AnyLayer& layer, const Tensor& x, Mode mode, std::uint64_t seed) {
  Tape tape(mode, seed);
  return Tensor(layer.forward(tape.input(x)).value());
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

std::vector<Tensor> values_of(AnyLayer& layer) {
  std::vector<Tensor> result;
  for (const auto& [name, parameter] : layer.parameters()) result.push_back(parameter->value);
  return result;
}

void check_layer_gradients(CheckReport& report, AnyLayer& layer, const Tensor& x, const LayerCheckOptions& options) {
  Parameter input{x, options.input_gradient};
  std::vector<Source> sources;
  if (input.trainable) sources.push_back({message("gradient of the input {}", x.shape()), &input, false});
  for (const auto& [name, parameter] : layer.parameters()) {
    if (!parameter->learns()) continue;
    sources.push_back({message("gradient of {} {}", name, parameter->shape()), parameter, true});
  }
  const Forward of_parameter = [&](Tape& tape) { return layer.forward(tape.parameter(input)); };
  check_sources(report, of_parameter, sources, options.gradients);

  const Forward of_data = [&](Tape& tape) { return layer.forward(tape.input(x)); };
  std::vector<Stepped> functions{{of_data, {}}};
  for (const auto& [name, parameter] : layer.parameters()) functions[0].parameters.push_back({name, parameter});
  if (input.trainable) {
    functions.push_back({of_parameter, functions[0].parameters});
    functions[1].parameters.push_back({"the input", &input});
  }
  check_steps(report, functions, options.gradients);
}

/// A parameter that is not listed gets a gradient, but no optimizer would update it and no file would store it.
void check_listed(CheckReport& report, AnyLayer& layer, const Tensor& x) {
  const auto listed = layer.parameters();
  Tape tape(Mode::training, 1);
  const Var y = layer.forward(tape.input(x));
  bool all = true;
  for (const Gradients::Entry& entry : tape.backward(y, Tensor(y.shape())).entries()) {
    if (std::any_of(listed.begin(), listed.end(), [&](const auto& p) { return p.parameter == entry.parameter; }))
      continue;
    all = false;
    report.add(false, message("forward reads a Parameter {} that parameters() does not list; it would not be trained",
                              entry.parameter->shape()));
  }
  if (all) report.add(true, "parameters() lists every trainable Parameter that forward reads");
}

/// State, such as a moving mean, has no gradient. It should be read by forward or updated in training.
void check_state(CheckReport& report, AnyLayer& layer, const Tensor& x) {
  Tape tape(Mode::training, 1);
  const Var y = layer.forward(tape.input(x));
  const std::span<const Gradients::Update> updates = tape.backward(y, Tensor(y.shape())).updates();
  for (const auto& [name, parameter] : layer.parameters()) {
    if (parameter->learns()) continue;
    const bool updated = std::any_of(updates.begin(), updates.end(),
                                     [&, state = parameter](const auto& update) { return update.parameter == state; });
    bool read = false;
    for (const Mode mode : {Mode::training, Mode::inference}) {
      const Tensor before = run(layer, x, mode, 1), old = parameter->value;
      for (Real& number : parameter->value) number += Real(0.5);
      read = read || !same_bits(run(layer, x, mode, 1), before);
      parameter->value = old;
    }
    report.add(read || updated, message("state {} {}: {}", name, parameter->shape(),
                                        read && updated ? "read and updated"
                                        : read          ? "read"
                                        : updated       ? "updated"
                                                        : "forward neither reads nor updates it"));
  }
}

void check_copy(CheckReport& report, AnyLayer& layer, const Tensor& x, const Tensor& expected) {
  AnyLayer copy = layer;
  const std::vector<Tensor> before = values_of(layer);
  for (const auto& [name, parameter] : copy.parameters()) parameter->value.fill(Real(0.123));
  const bool independent =
      same_bits(values_of(layer), before) && same_bits(run(layer, x, Mode::inference, 1), expected);
  report.add(independent, independent ? "a copy is independent of the original"
                                      : "a copy is independent of the original: changing its parameters changed both");
}

/// Each thread predicts different samples; otherwise data shared by mistake would go unnoticed.
void check_threads(CheckReport& report, const AnyLayer& layer, const Tensor& x, int threads) {
  constexpr int rounds = 10;
  struct Work {
    Tensor x, expected;
    bool agrees = true;
  };
  std::vector<Work> work(static_cast<std::size_t>(threads));
  for (std::size_t i = 0; i < work.size(); ++i) {
    const Index batch = x.shape()[0], first = batch == 0 ? 0 : static_cast<Index>(i) % batch;
    work[i].x = x;
    std::rotate_copy(x.begin(), x.begin() + first * (batch == 0 ? 0 : x.size() / batch), x.end(), work[i].x.begin());
    work[i].expected = run(layer, work[i].x, Mode::inference, 1);
  }
  detail::Team(threads + 1).run(threads + 1, [&](Index member) {
    if (member == 0) return;  // the calling thread has already run the layer
    Work& mine = work[static_cast<std::size_t>(member - 1)];
    try {
      for (int round = 0; round < rounds; ++round) {
        mine.agrees = mine.agrees && same_bits(run(layer, mine.x, Mode::inference, 1), mine.expected);
      }
    } catch (const std::bad_alloc&) {  // not the layer's fault
      throw;
    } catch (const std::exception&) {
      mine.agrees = false;  // reported below
    }
  });
  const auto agreeing = std::count_if(work.begin(), work.end(), [](const Work& mine) { return mine.agrees; });
  report.add(agreeing == threads,
             message("{} of {} threads predict the same bits as one thread alone", agreeing, threads));
}

}  // namespace

CheckReport check_layer(AnyLayer layer, const Shape& input, const LayerCheckOptions& options) {
  CheckReport report;
  Rng rng(options.gradients.seed);
  const Shape promised = layer.build(input, rng);

  const Shape batched = input.batched(options.batch);
  Tensor x = options.input;
  if (x.empty()) {
    x = Tensor(batched);
    rng.fill_normal(x, 0, 1);
  }
  require(x.shape() == batched, "check_layer: options.input has shape {}, expected {}", x.shape(), batched);

  const std::vector<Tensor> before = values_of(layer);
  const Tensor y = run(layer, x, Mode::inference, 1);
  const Shape expected = promised.batched(options.batch);
  report.add(y.shape() == expected, message("build says {}, forward returns {}", expected, y.shape()));
  const bool repeats = same_bits(run(layer, x, Mode::training, 7), run(layer, x, Mode::training, 7)) &&
                       same_bits(run(layer, x, Mode::inference, 1), y);
  report.add(repeats, "two runs with one seed have the same bits");
  const bool keeps = same_bits(values_of(layer), before);
  report.add(keeps, keeps ? "forward changes no parameter" : "forward changes a parameter; record an update instead");

  check_listed(report, layer, x);
  check_layer_gradients(report, layer, x, options);
  check_state(report, layer, x);
  check_copy(report, layer, x, y);
  check_threads(report, layer, x, options.threads);
  return report;
}

CheckReport check_layer(AnyLayer layer, const Inputs& inputs, const LayerCheckOptions& options) {
  Chain chain;
  chain.insert(inputs);
  chain.insert(std::move(layer));
  return check_layer(AnyLayer(std::move(chain)), inputs.packed(), options);
}

}  // namespace cornu::detail
