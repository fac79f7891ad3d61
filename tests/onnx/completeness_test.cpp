#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/temporary_folder.h"

// Every registered type supports every feature. The exceptions are listed by name, with the reason.

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

/// Runs each way; expects it to succeed, or to fail if it is listed.
struct Way {
  std::string name;
  std::function<void(const LayerRow&)> run;  // throws, or adds a failure
};

void require_equal(const std::string& what, const std::string& got, const std::string& expected) {
  if (got != expected) throw ValueError(what + ": " + got + " instead of " + expected);
}

std::string written(const auto& value) {
  Json json;
  to_json(json, value);
  return to_string(json);
}

Tensor sample(const LayerRow& row) {
  Tensor x(row.input.batched(4));
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
    if (!(std::abs(got[i] - expected[i]) <= tolerance)) {
      throw ValueError(message("element {} is {}, not {}", i, got[i], expected[i]));
    }
  }
}

void check_gradient(const LayerRow& row) {
  const CheckReport report = check_layer(row.layer, row.input);
  if (!report) throw ValueError(to_string(report));
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

void trip_onnx(const LayerRow& row) {
  const Sequential model = model_of(row, 1);
  require_same(onnx::parse(testing::exported(model)).predict(sample(row)), model.predict(sample(row)), Real(2e-5));
}

void export_header(const LayerRow& row) {
  if (to_cpp(model_of(row, 1)).find("void predict(") == std::string::npos) throw ValueError("no function predict");
}

std::vector<Way> ways() {
  std::vector<Way> all{{"options", trip_options},
                       {"file", trip_file},
                       {"Keras names", [](const LayerRow& row) { trip_weights(row, Names::keras); }},
                       {"PyTorch names", [](const LayerRow& row) { trip_weights(row, Names::pytorch); }},
                       {"ONNX", trip_onnx},
                       {"C++ header", export_header}};
  if (std::is_same_v<Real, double>) all.push_back({"gradient", check_gradient});
  return all;
}

/// Expects no failure, or one if the way is listed as an exception.
void expect_success(const std::string& what, const std::string& way, const std::string& failure) {
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
    std::string failure;
    try {
      way.run(row);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    expect_success(what, way.name, failure);
  }
}

TEST(Completeness, OfEveryLayer) {
  const std::vector<LayerRow>& rows = testing::every_layer();
  for (const std::string& name : detail::layer_registry().names()) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const LayerRow& each) { return each.layer.type() == name; });
    const bool has_row = row != rows.end();
    expect_success(name, "row in every_layer.h", has_row ? "" : "add a row to tests/support/every_layer.h");
    if (has_row) expect_complete(name, *row);
  }
}

TEST(Completeness, OfEveryActivation) {
  for (const std::string& name : detail::activation_registry().names()) {
    const Activation function(detail::activation_registry().find(name));
    expect_complete(name, {Dense{3, function}, Shape{4}});
  }
}

TEST(Completeness, OfEveryInitializer) {
  for (const std::string& name : detail::initializer_functions().names()) {
    trip_options({Dense{.units = 3, .kernel_initializer = detail::initializer_functions().find(name)}, Shape{4}});
  }
  EXPECT_GE(detail::initializer_functions().names().size(), 8U);
}

/// Expects each registered type to be unchanged by a trip through a file's JSON, from its defaults.
template <class Any>
void expect_trips(const detail::Registry<Any>& registry) {
  EXPECT_GE(registry.names().size(), 3U);
  for (const std::string& name : registry.names()) {
    const std::string text = R"({"class_name":")" + name + R"(","config":{}})";
    const Json described = registry.describe(registry.make(parse_json(text)), name);
    EXPECT_EQ(to_string(registry.describe(registry.make(described), name)), to_string(described)) << name;
  }
}

TEST(Completeness, OfTheOptionsOfEverythingElse) {
  expect_trips(detail::optimizer_registry());
  expect_trips(detail::loss_registry());
  expect_trips(detail::schedule_registry());
  expect_trips(detail::metric_registry());
}

TEST(Completeness, ACompiledModelKeepsEveryOptimizerLossAndMetric) {
  const TemporaryFolder folder;
  const std::string file = folder / "m.safetensors";
  const auto json_of = [&](CompileOptions options) {
    Sequential model{Input{3}, Dense{2}};
    model.compile(std::move(options));
    model.save(file);
    const std::string before = testing::content(file);
    Sequential::load(file).save(file);
    return std::pair(before, testing::content(file));
  };
  const auto named = [](const std::string& name) {
    return parse_json(R"({"class_name":")" + name + R"(","config":{}})");
  };
  for (const std::string& name : detail::optimizer_registry().names()) {
    const auto [before, after] =
        json_of({.optimizer = detail::optimizer_registry().make(named(name)), .loss = MeanSquaredError{}});
    EXPECT_EQ(after, before) << name;
  }
  for (const std::string& name : detail::loss_registry().names()) {
    const auto [before, after] = json_of({.loss = detail::loss_registry().make(named(name))});
    EXPECT_EQ(after, before) << name;
  }
  for (const std::string& name : detail::metric_registry().names()) {
    const auto [before, after] =
        json_of({.loss = MeanSquaredError{}, .metrics = {detail::metric_registry().make(named(name))}});
    EXPECT_EQ(after, before) << name;
  }
}

}  // namespace
}  // namespace cornu
