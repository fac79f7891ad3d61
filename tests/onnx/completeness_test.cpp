#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/every_schedule.h"
#include "cornu/tests/support/registered.h"
#include "cornu/tests/support/run_trace.h"
#include "cornu/tests/support/temporary_folder.h"

// Every registered type supports every feature. The exceptions are listed by name, with the reason.
// Two kinds have no registry. Regularizers and constraints are stored as numbers, without names: option_kinds() lists
// them. Callbacks are in no model file: tests/models/training/continuing_test.cpp lists them and resumes a run with
// each.

namespace cornu {
namespace {

using testing::LayerRow;
using testing::TemporaryFolder;

struct Exception {
  std::string what, way, reason;
};

const std::vector<Exception>& exceptions() {
  static const std::vector<Exception> list{
      {"Embedding", "gradient", "its input has indices, which have no gradient; its own test checks the kernel's"},
      {"Inputs", "row in every_layer.h", "it only states the input shapes"},
  };
  return list;
}

struct Way {
  std::string name;
  std::function<void(const LayerRow&)> run;  // throws if it fails
};

void require_equal(const std::string& what, const std::string& got, const std::string& expected) {
  if (got != expected) throw ValueError(what + ": " + got + " instead of " + expected);
}

Json json_of(const auto& value) {
  Json json;
  to_json(json, value);
  return json;
}
std::string written(const auto& value) { return to_string(json_of(value)); }

Tensor sample(const LayerRow& row, Index batch = 4) {
  Tensor x(row.input.batched(batch));
  Rng(3).fill_uniform(x, Real(-0.9), Real(0.9));
  if (row.layer.type() == "Embedding") x.fill(0);
  return x;
}

/// The layer in a model, with weights that are not the initial ones.
Sequential model_of(const LayerRow& row, std::uint64_t seed) {
  Sequential model({AnyLayer(Input{row.input}), row.layer}, {.seed = seed});
  Rng rng(seed);
  for (const NamedParameter& named : model.parameters()) rng.fill_uniform(named.parameter->value, Real(0.1), 1);
  return model;
}

void require_same(const Tensor& got, const Tensor& expected, Real tolerance) {
  if (got.shape() != expected.shape()) throw ValueError(message("shape {}, not {}", got.shape(), expected.shape()));
  for (Index i = 0; i < got.size(); ++i) {
    if (!(std::abs(got[i] - expected[i]) <= tolerance * std::max(Real{1}, std::abs(expected[i])))) {
      throw ValueError(message("element {} is {}, not {}", i, got[i], expected[i]));
    }
  }
}

void require_passed(const CheckReport& report) {
  if (!report) throw ValueError(to_string(report));
}
void require_right_gradient(const DifferentiableFunction& f) {
  require_passed(check_gradients(f, {Tensor::matrix({{0.25, 0.375, 0.625}, {0.75, 0.3125, 0.125}})}));
}

void trip_options(const LayerRow& row) {
  const std::string text = written(row.layer);
  require_equal("options", written(value_of<AnyLayer>(parse_json(text))), text);
}

void trip_file(const LayerRow& row) {
  const TemporaryFolder folder;
  const Sequential model = model_of(row, 1);
  model.save(folder / "m.safetensors");
  require_same(Sequential::load(folder / "m.safetensors").predict(sample(row)), model.predict(sample(row)), 0);
}

void trip_weights(const LayerRow& row, Names names) {
  const TemporaryFolder folder;
  const Sequential model = model_of(row, 1);
  Sequential other = model_of(row, 2);
  if (model.parameters().empty()) return;
  model.save_weights(folder / "w.safetensors", {.names = names});
  other.load_weights(folder / "w.safetensors", {.names = names});
  require_same(other.predict(sample(row)), model.predict(sample(row)), Real(1e-5));
}

constexpr Index batches[] = {1, 2, 5};

void run_trace_of(const LayerRow& row) {
  const Sequential model = model_of(row, 1);
  for (const Index batch : batches) {
    require_same(testing::run_trace(trace(model), {sample(row, batch)}), model.predict(sample(row, batch)), 0);
  }
}

void trip_onnx(const LayerRow& row) {
  const Sequential model = model_of(row, 1);
  const onnx::Model loaded = onnx::parse(testing::exported(model));
  for (const Index batch : batches) {
    const Tensor x = sample(row, batch);
    require_same(loaded.predict(x), model.predict(x), Real(1e-5));  // also with doubles: the files hold floats
  }
}

/// tests/models/export_cpp compiles the headers of all layers and compares their outputs.
void export_header(const LayerRow& row) {
  if (to_cpp(model_of(row, 1)).find("void predict(") == std::string::npos) throw ValueError("no function predict");
}

std::vector<Way> ways() {
  std::vector<Way> all{{"options", trip_options},
                       {"file", trip_file},
                       {"Keras names", [](const LayerRow& row) { trip_weights(row, Names::keras); }},
                       {"PyTorch names", [](const LayerRow& row) { trip_weights(row, Names::pytorch); }},
                       {"trace", run_trace_of},
                       {"ONNX", trip_onnx},
                       {"C++ header", export_header}};
  if (std::is_same_v<Real, double>) {
    all.push_back({"gradient", [](const LayerRow& row) { require_passed(check_layer(row.layer, row.input)); }});
  }
  return all;
}

/// Runs `way`; expects it to succeed, or to throw if it is listed as an exception.
void expect_success(const std::string& what, const std::string& way, const std::function<void()>& run) {
  std::string failure;
  try {
    run();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const auto& all = exceptions();
  const bool is_listed =
      std::any_of(all.begin(), all.end(), [&](const Exception& each) { return each.what == what && each.way == way; });
  if (is_listed) {
    EXPECT_NE(failure, "") << what << ": " << way << " works now; remove it from the exceptions";
  } else {
    EXPECT_EQ(failure, "") << what << ": " << way;
  }
}

void expect_complete(const std::string& what, const LayerRow& row) {
  for (const Way& way : ways()) {
    expect_success(what, way.name, [&] { way.run(row); });
  }
}

TEST(Completeness, OfEveryLayer) {
  const std::vector<LayerRow>& rows = testing::every_layer();
  for (const std::string& name : detail::layer_registry().names()) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const LayerRow& each) { return each.layer.type() == name; });
    expect_success(name, "row in every_layer.h",
                   [&] { require<ValueError>(row != rows.end(), "add a row to tests/support/every_layer.h"); });
    if (row != rows.end()) expect_complete(name, *row);
  }
}

TEST(Completeness, OfEveryActivation) {
  for (const std::string& name : detail::activation_registry().names()) {
    const Activation function(detail::activation_registry().find(name));
    expect_complete(name, {Dense{3, function}, Shape{4}});
  }
}

// ---- Initializers, regularizers and constraints ----

struct Value {
  std::string name;
  Json json;
};
/// Options of layers that have a value of one kind.
struct OptionKind {
  std::string ending;  // of the option's name
  std::vector<Value> values;
  void (*check_effect)(const LayerRow& row, const std::string& option);
};

/// A file of the loaded model has the same bytes. Returns them.
std::string trip_file_twice(const Sequential& model) {
  const TemporaryFolder folder;
  model.save(folder / "a.safetensors");
  Sequential::load(folder / "a.safetensors").save(folder / "b.safetensors");
  std::string bytes = testing::content(folder / "a.safetensors");
  if (testing::content(folder / "b.safetensors") != bytes) throw ValueError("the loaded model makes another file");
  return bytes;
}

void check_initializer(const LayerRow& row, const std::string& option) {
  const AnyLayer layer = testing::with_option(row.layer, option, json_of(constant(0.375)));
  const Sequential model{Input{row.input}, layer};
  for (const Tensor& weight : model.get_weights()) {
    if (std::find(weight.begin(), weight.end(), Real(0.375)) != weight.end()) return;
  }
  throw ValueError("no parameter has the initial value");
}

void check_regularizer(const LayerRow& row, const std::string& option) {
  const auto loss_of = [&](const AnyLayer& layer) {
    Sequential model = model_of({layer, row.input}, 1);
    model.compile({.loss = MeanSquaredError{}});
    return model.test_on_batch(sample(row), Tensor(model.predict(sample(row)).shape()))["loss"];
  };
  const AnyLayer penalized = testing::with_option(row.layer, option, json_of(Regularizer(L2{0.5})));
  if (!(loss_of(penalized) > loss_of(row.layer))) throw ValueError("the loss has no penalty");
}

void check_constraint(const LayerRow& row, const std::string& option) {
  const AnyLayer constrained = testing::with_option(row.layer, option, json_of(Constraint(NonNeg{})));
  Sequential model{Input{row.input}, constrained};
  for (const NamedParameter& named : model.parameters()) {
    if (named.parameter->trainable) named.parameter->value.fill(-1);
  }
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = MeanSquaredError{}});
  model.train_on_batch(sample(row), Tensor(model.predict(sample(row)).shape()));
  for (const Tensor& weight : model.get_weights()) {
    if (weight == Tensor(weight.shape())) return;
  }
  throw ValueError("no parameter is constrained");
}

std::vector<OptionKind> option_kinds() {
  std::vector<Value> initializers;
  for (const std::string& name : detail::initializer_functions().names()) initializers.push_back({name, name});
  const auto& with_options = detail::initializer_registry();
  for (const std::string& name : with_options.names()) {
    initializers.push_back({name, with_options.describe(testing::with_defaults(with_options, name), name)});
  }
  return {{"_initializer", initializers, check_initializer},
          {"_regularizer",
           {{"L1", json_of(Regularizer(L1{0.25}))},
            {"L2", json_of(Regularizer(L2{0.25}))},
            {"L1L2", json_of(Regularizer(L1L2{.l1 = 0.25, .l2 = 0.5}))}},
           check_regularizer},
          {"_constraint",
           {{"MaxNorm", json_of(Constraint(MaxNorm{.max_value = 1.5, .axis = {0, 1}}))},
            {"UnitNorm", json_of(Constraint(UnitNorm{}))},
            {"NonNeg", json_of(Constraint(NonNeg{}))}},
           check_constraint}};
}

TEST(Completeness, OfEveryOptionThatIsAnInitializerRegularizerOrConstraint) {
  for (const OptionKind& kind : option_kinds()) {
    int options = 0;
    for (const LayerRow& row : testing::every_layer()) {
      for (const std::string& option : testing::options_that_end_in(kind.ending, row.layer)) {
        ++options;
        const std::string what = std::string(row.layer.type()) + "." + option;
        expect_success(what, "effect", [&] { kind.check_effect(row, option); });
        for (const Value& value : kind.values) {
          expect_success(what + " = " + value.name, "options", [&] {
            const Json again = json_of(testing::with_option(row.layer, option, value.json)).at("config").at(option);
            require_equal(option, to_string(again), to_string(value.json));
          });
        }
      }
    }
    EXPECT_GE(options, 10) << kind.ending;
  }
}

// Files of weights, ONNX files and C++ headers have none of these.
TEST(Completeness, OfEveryInitializerRegularizerAndConstraint) {
  for (const OptionKind& kind : option_kinds()) {
    for (const Value& value : kind.values) {
      const AnyLayer layer = testing::with_option(Dense{3}, "kernel" + kind.ending, value.json);
      const Sequential model({Input{4}, layer}, {.seed = 7});
      expect_success(value.name, "file", [&] { static_cast<void>(trip_file_twice(model)); });
      expect_success(value.name, "initial values from the same seed", [&] {
        const TemporaryFolder folder;
        model.save(folder / "m.safetensors");
        AnyLayer loaded = Sequential::load(folder / "m.safetensors").get_layer(0);
        require_equal("layer", to_string(json_of(loaded).at("config")), to_string(json_of(layer).at("config")));
        reset_parameters(loaded);
        require_same(Sequential({Input{4}, loaded}, {.seed = 7}).get_weights()[0], model.get_weights()[0], 0);
      });
      if (kind.ending != "_regularizer" || !std::is_same_v<Real, double>) continue;
      expect_success(value.name, "gradient", [&] {
        const auto penalty = value_of<Regularizer>(value.json);
        require_right_gradient([&](std::span<const Var> x) { return penalty(x[0]); });
      });
    }
  }
}

// ---- Optimizers, losses, metrics and schedules ----

template <class Any>
void expect_complete(const detail::Registry<Any>& registry, const std::string& name, const Any& value,
                     CompileOptions compile) {
  expect_success(name, "options", [&] {
    const Json described = registry.describe(value, name);
    require_equal("options", to_string(registry.describe(registry.make(described), name)), to_string(described));
  });
  expect_success(name, "file", [&] {
    Sequential model{Input{3}, Dense{2}};
    model.compile(std::move(compile));
    if (trip_file_twice(model).find(name) == std::string::npos) throw ValueError("the file does not have its name");
  });
}

TEST(Completeness, OfEveryOptimizer) {
  const auto& registry = detail::optimizer_registry();
  EXPECT_GE(registry.names().size(), 7U);
  for (const std::string& name : registry.names()) {
    const AnyOptimizer optimizer = testing::with_defaults(registry, name);
    expect_complete(registry, name, optimizer, {.optimizer = optimizer, .loss = MeanSquaredError{}});
  }
}

TEST(Completeness, OfEveryLoss) {
  const auto& registry = detail::loss_registry();
  EXPECT_GE(registry.names().size(), 15U);
  const Tensor distributions = Tensor::matrix({{0.125, 0.25, 0.625}, {0.5, 0.25, 0.25}}),
               labels = Tensor::vector({2, 0});
  for (const std::string& name : registry.names()) {
    const AnyLoss loss = testing::with_defaults(registry, name);
    expect_complete(registry, name, loss, {.loss = loss});
    if (!std::is_same_v<Real, double>) continue;
    const Tensor& y = name == "SparseCategoricalCrossentropy" ? labels : distributions;
    expect_success(name, "gradient",
                   [&] { require_right_gradient([&](std::span<const Var> x) { return loss(x[0], y); }); });
  }
}

TEST(Completeness, OfEveryMetric) {
  const auto& registry = detail::metric_registry();
  EXPECT_GE(registry.names().size(), 12U);
  for (const std::string& name : registry.names()) {
    const AnyMetric metric = testing::with_defaults(registry, name);
    expect_complete(registry, name, metric, {.loss = MeanSquaredError{}, .metrics = {metric}});
  }
}

TEST(Completeness, OfEverySchedule) {
  const auto& registry = detail::schedule_registry();
  const std::vector<LearningRate>& rows = testing::every_schedule();
  for (const std::string& name : registry.names()) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const LearningRate& each) {
      return value_of<std::string>(json_of(each).at("class_name")) == name;
    });
    expect_success(name, "row in every_schedule.h",
                   [&] { require<ValueError>(row != rows.end(), "add a row to tests/support/every_schedule.h"); });
    if (row == rows.end()) continue;
    expect_complete(registry, name, *row, {.optimizer = SGD{.learning_rate = *row}, .loss = MeanSquaredError{}});
    expect_success(name, "values", [&] {
      const auto again = value_of<LearningRate>(json_of(*row));
      for (Index step = 0; step <= 20; ++step) {
        const double rate = row->at(step);
        require<ValueError>(std::isfinite(rate) && rate >= 0, "{} at step {}", rate, step);
        require<ValueError>(again.at(step) == rate, "{} at step {} after a trip", again.at(step), step);
      }
    });
  }
}

}  // namespace
}  // namespace cornu
