#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cornu/core/text/printable.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/models/metrics/probabilities.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/network.h"
#include "cornu/tool/ports.h"

namespace cornu::tool {

namespace {

using Outputs = std::span<const Real>;

/// All outputs as a line of a CSV file.
std::string all_text(Outputs outputs) { return fmt::format("{}", fmt::join(outputs, ",")); }

/// Output indices in descending order of their values; NaN is last.
std::vector<Index> sorted_classes(Outputs outputs) {
  const auto key = [&](Index i) {
    const Real x = outputs[static_cast<std::size_t>(i)];
    return std::isnan(x) ? -std::numeric_limits<Real>::infinity() : x;
  };
  std::vector<Index> classes(outputs.size());
  std::iota(classes.begin(), classes.end(), Index{0});
  std::stable_sort(classes.begin(), classes.end(), [&](Index a, Index b) { return key(a) > key(b); });
  return classes;
}

/// The top classes, each followed by its output.
std::string top_text(const Network& network, Outputs outputs, Index count) {
  std::string text;
  for (const Index i : sorted_classes(outputs)) {
    if (count-- == 0) break;
    text += fmt::format("{}{}\t{:.4f}", text.empty() ? "" : "\t", class_name(network, i),
                        outputs[static_cast<std::size_t>(i)]);
  }
  return text;
}

/// The best class; for a single output, 1 if its probability is above 0.5.
std::string class_text(const Network& network, Outputs outputs) {
  if (outputs.size() > 1) return class_name(network, sorted_classes(outputs)[0]);
  Tensor memory;
  const ConstView p = detail::probabilities(network.logits, ConstView(outputs.data(), {1}), memory);
  require<ValueError>(!(p[0] < 0 || p[0] > 1),
                      "the output {} is not a probability, so it has no class (does the model end before its sigmoid?)",
                      p[0]);
  return class_name(network, p[0] > Real(0.5) ? 1 : 0);
}

/// The files of the samples of one prediction, by the names of the inputs.
struct Pass {
  std::string label;  ///< begins the lines: the file, if there are several
  std::map<std::string, std::string> files;
};

/// A model with one input predicts for each file, a model with several for the samples in all files together.
std::vector<Pass> passes_of(const Network& network, const std::vector<std::string>& given, const std::string& model) {
  std::vector<std::string> names;
  for (const NetworkInput& input : network.inputs) names.push_back(input.name);
  std::vector<Pass> passes;
  if (names.size() > 1) {
    passes.push_back({"", files_of(given, names, "")});
    require_all(passes.front().files, names, model, "file");
    return passes;
  }
  for (const std::string& text : given) {
    const auto files = files_of({text}, names, "");
    passes.push_back({given.size() > 1 ? files.begin()->second : "", files});
  }
  return passes;
}

}  // namespace

void Predict::declare(CLI::App& app) {
  app.add_option("MODEL", model, "a Cornu, Keras or ONNX model")->required()->option_text(" ");
  app.add_option("INPUT", inputs,
                 "samples: IDX (also .gz), .npy, PNG, PGM, or a table with one sample per line; - is standard "
                 "input. For a model with several inputs: a file for each, NAME=FILE or in order")
      ->required()
      ->option_text("...");
  CLI::Option* const all_flag = app.add_flag("--all", all, "print all outputs, separated by commas");
  CLI::Option* const top_option = app.add_option("--top", top, "print the best K classes, each with its output")
                                      ->option_text("K")
                                      ->check(CLI::Range(1, 1'000'000));
  CLI::Option* const classes_flag = app.add_flag("--classes", classes, "print only the best class");
  CLI::Option* const output_option =
      app.add_option("-o,--output", output, "write all outputs to this .npy file and print nothing");
  output_option->option_text("FILE");
  all_flag->option_text(" ");
  classes_flag->option_text(" ");
  for (CLI::Option* const option : {all_flag, top_option, classes_flag}) {
    for (CLI::Option* const other : {all_flag, top_option, classes_flag, output_option}) {
      if (other != option) option->excludes(other);
    }
  }
  app.add_option("--output-name", output_name, "the output of an ONNX model to print (default: the first)")
      ->option_text("NAME");
  scale.declare(app);
}

std::string Predict::run() const {
  require<UsageError>(output.empty() || output.ends_with(".npy"), "--output: {}: its name must end in .npy", output);
  Network network = load_network(model, {.compile = false}, output_name);
  std::string text;
  std::vector<Real> kept;
  Shape sample;
  std::optional<Index> best;  // number of classes to print; if not given, the built model decides
  if (top > 0 || all || classes) best = top;
  for (const auto& [label, files] : passes_of(network, inputs, model)) {
    const SampleSet samples = read_samples(network, files, scale);
    build_for(network, samples);
    const Tensor outputs = predict(network, samples);
    sample = outputs.shape().sub(1);
    if (!output.empty()) {
      kept.insert(kept.end(), outputs.begin(), outputs.end());
      continue;
    }
    require<ValueError>(sample.rank() == 1 || (!classes && top == 0),
                        "{}: the outputs of a sample have shape {}; classes require one axis", model, sample);
    if (!best) best = is_classifier(network) ? 1 : 0;
    for (Index row = 0; row < outputs.shape()[0]; ++row) {
      const Outputs numbers(outputs.data() + row * sample.size(), static_cast<std::size_t>(sample.size()));
      if (!label.empty()) text += detail::printable(label) + ": ";
      text += classes     ? class_text(network, numbers)
              : *best > 0 ? top_text(network, numbers, *best)
                          : all_text(numbers);
      text += '\n';
    }
  }
  if (!output.empty()) {
    const Index count = std::ssize(kept) / std::max<Index>(sample.size(), 1);
    write_npy(output, ConstView(kept.data(), sample.batched(count)));
  }
  return text;
}

}  // namespace cornu::tool
