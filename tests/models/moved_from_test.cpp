#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/datasets/batches.h"
#include "cornu/datasets/csv/encoding.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/safetensors.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/temporary_folder.h"

// A moved-from object throws StateError, and can be assigned to and destroyed.

namespace cornu {
namespace {

constexpr std::string_view moved_from =
    "an object was used after it was moved from; it can only be assigned to or destroyed";

template <class Action>
void expect_moved_from(Action action, const std::string& what) {
  SCOPED_TRACE(what);
  const std::string text = testing::error_of<StateError>(action);
  EXPECT_TRUE(text.ends_with(moved_from)) << text;
}

/// The public functions that a class's header declares, without those that every class has.
std::set<std::string> functions_of(const std::string& type, const std::string& header) {
  std::ifstream file(testing::source_path(header));
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t from = text.find("\nclass " + type + " {");
  text = text.substr(from, text.find("\n private:", from) - from);
  std::set<std::string> names;
  const std::regex declaration("\n  [A-Za-z][A-Za-z0-9_:<>*&, ]*[ &*]([a-z_]+)\\(");
  for (std::sregex_iterator found(text.begin(), text.end(), declaration), end; found != end; ++found) {
    names.insert((*found)[1]);
  }
  return names;
}

TEST(MovedFrom, EveryFunctionOfASequentialThrows) {
  const Tensor x({1, 2}), y({1});
  const TensorDataset data = testing::blobs(4);
  const std::vector<Tensor> weights;
  const testing::TemporaryFolder folder;
  const std::string file = folder / "weights.safetensors";
  write_safetensors(file, {});
  const auto with_callbacks = std::vector<AnyCallback>{LambdaCallback{}};
  using Model = Sequential;
  std::map<std::string, std::vector<std::function<void(Model&)>>> calls{
      {"name", {[](const Model& m) { m.name(); }}},
      {"add", {[](Model& m) { m.add(Dense{1}); }}},
      {"pop", {[](Model& m) { m.pop(); }}},
      {"layer_count", {[](const Model& m) { m.layer_count(); }}},
      {"get_layer",
       {[](Model& m) { m.get_layer("dense"); }, [](const Model& m) { m.get_layer("dense"); },
        [](Model& m) { m.get_layer(0); }, [](const Model& m) { m.get_layer(0); }}},
      {"build",
       {[](Model& m) { m.build({2}); },
        [](Model& m) {
          Rng rng(1);
          m.build({2}, rng);
        }}},
      {"built", {[](const Model& m) { m.built(); }}},
      {"input_shape", {[](const Model& m) { m.input_shape(); }}},
      {"output_shape", {[](const Model& m) { m.output_shape(); }, [](const Model& m) { m.output_shape(0); }}},
      {"layers", {[](Model& m) { m.layers(); }}},
      {"parameters", {[](Model& m) { m.parameters(); }, [](const Model& m) { m.parameters(); }}},
      {"count_params", {[](const Model& m) { m.count_params(); }}},
      {"optimizer_params", {[](const Model& m) { m.optimizer_params(); }}},
      {"get_weights", {[](const Model& m) { m.get_weights(); }}},
      {"set_weights", {[&](Model& m) { m.set_weights(weights); }}},
      {"forward", {[&](const Model& m) {
         Tape tape;
         m.forward(tape.input(x));
       }}},
      {"summary", {[](const Model& m) { m.summary(); }, [](const Model& m) { to_string(m); }}},
      {"compile", {[](Model& m) { m.compile({.loss = MeanSquaredError{}}); }}},
      {"compiled", {[](const Model& m) { m.compiled(); }}},
      {"optimizer", {[](Model& m) { m.optimizer(); }}},
      {"fit", {[&](Model& m) { m.fit(data); }, [&](Model& m) { m.fit(x, y); }}},
      {"train_on_batch", {[&](Model& m) { m.train_on_batch(x, y); }}},
      {"test_on_batch", {[&](const Model& m) { m.test_on_batch(x, y); }}},
      {"evaluate",
       {[&](const Model& m) { m.evaluate(data); }, [&](const Model& m) { m.evaluate(x, y); },
        [&](Model& m) { m.evaluate(data, {}, with_callbacks); }}},
      {"save", {[&](const Model& m) { m.save(file); }}},
      {"save_weights", {[&](const Model& m) { m.save_weights(file); }}},
      {"load_weights", {[&](Model& m) { m.load_weights(file); }}},
      {"options", {[](Model& m) {
         OptionVisitor visit;
         m.options(visit);
       }}},
      {"predict",
       {[&](const Model& m) { static_cast<void>(m.predict(x)); }, [&](const Model& m) { m.predict(data); },
        [&](Model& m) { m.predict(x, {}, with_callbacks); }}},
      {"predict_on_batch", {[&](const Model& m) { m.predict_on_batch(x); }}},
      {"predict_classes",
       {[&](const Model& m) { m.predict_classes(x); }, [&](const Model& m) { m.predict_classes(data); }}},
      {"export_cpp", {[&](const Model& m) { m.export_cpp(file); }, [](const Model& m) { to_cpp(m); }}},
      {"csv_encoding", {[](const Model& m) { m.csv_encoding(); }}},
      {"has_csv_encoding", {[](const Model& m) { m.has_csv_encoding(); }}},
      {"set_csv_encoding", {[](Model& m) { m.set_csv_encoding({}); }}},
      {"copy", {[](const Model& m) { const Model copy = m; }, [](const Model& m) { AnyLayer layer(m); }}},
  };

  std::set<std::string> expected = functions_of("Sequential", "models/sequential.h");
  expected.erase("load");  // it is static
  expected.insert("copy");
  std::set<std::string> covered;
  for (const auto& [name, uses] : calls) covered.insert(name);
  EXPECT_EQ(covered, expected) << "this table has a row for every public function of Sequential";

  Sequential model = testing::classifier();
  const Sequential taken = std::move(model);
  for (const auto& row : calls) {
    const std::string& name = row.first;
    const auto& uses = row.second;
    for (std::size_t i = 0; i < uses.size(); ++i) expect_moved_from([&] { uses[i](model); }, message("{} {}", name, i));
  }
  model = taken;
  EXPECT_EQ(model.get_weights(), taken.get_weights());
  Sequential other = std::move(model);
  other = std::move(model);  // moves from a moved-from model
  expect_moved_from([&] { other.name(); }, "assigned from one that was moved from");
}

TEST(MovedFrom, EveryFunctionOfAnOptimizerThrows) {
  Parameter w{Tensor({2, 2})};
  const NamedParameters parameters{{"w", &w}};
  Tape tape;
  const Var loss = sum(square(tape.parameter(w)));
  const Gradients gradients = tape.backward(loss);
  std::map<std::string, std::vector<std::function<void(Optimizer&)>>> calls{
      {"step",
       {[&](Optimizer& o) { o.step(gradients); }, [](Optimizer& o) { o.step(Gradients()); },
        [&](Optimizer& o) {
          o.step({&gradients, 1});
        }}},
      {"minimize", {[&](Optimizer& o) { o.minimize(loss); }}},
      {"is_usable", {[](Optimizer& o) { o.is_usable(); }}},
      {"parameters", {[](Optimizer& o) { o.parameters(); }}},
      {"iterations", {[](Optimizer& o) { o.iterations(); }}},
      {"set_iterations", {[](Optimizer& o) { o.set_iterations(3); }}},
      {"learning_rate", {[](Optimizer& o) { o.learning_rate(); }}},
      {"set_learning_rate", {[](Optimizer& o) { o.set_learning_rate(0.5); }}},
      {"replaced_learning_rate", {[](Optimizer& o) { o.replaced_learning_rate(); }}},
      {"rule", {[](Optimizer& o) { o.rule(); }}},
      {"swap_averages", {[](Optimizer& o) { o.swap_averages(); }}},
      {"overwrite_with_averages", {[](Optimizer& o) { o.overwrite_with_averages(); }}},
      {"state", {[](Optimizer& o) { o.state(); }, [](const Optimizer& o) { o.state(); }}},
      {"knows_all", {[&](Optimizer& o) { o.knows_all(gradients); }}},
      {"rebound", {[&](Optimizer& o) { o.rebound(parameters); }, [](Optimizer& o) { o.rebound({}); }}},
  };
  std::set<std::string> covered;
  for (const auto& row : calls) covered.insert(row.first);
  EXPECT_EQ(covered, functions_of("Optimizer", "optim/optimizer.h"));
  Optimizer optimizer(Adam{}, parameters);
  const Optimizer taken = std::move(optimizer);
  for (const auto& row : calls) {
    for (std::size_t i = 0; i < row.second.size(); ++i) {
      expect_moved_from([&, i] { row.second[i](optimizer); }, message("{} {}", row.first, i));
    }
  }
  optimizer = taken;
  optimizer.step(gradients);
  EXPECT_EQ(optimizer.iterations(), 1);
}

/// Moves the object away, then uses it.
template <class T, class Use>
void expect_throws_once_moved(T object, Use use, const char* what) {
  T taken = std::move(object);
  expect_moved_from([&] { use(object); }, what);
  object = std::move(taken);
  use(object);
}

TEST(MovedFrom, BoxesThrow) {
  const Tensor y({2}), p({2});
  expect_throws_once_moved(
      AnyLayer(Dense{1}), [](AnyLayer& layer) { layer.type(); }, "AnyLayer");
  expect_throws_once_moved(
      AnyMetric(Accuracy{}), [](AnyMetric& metric) { metric.reset(); }, "AnyMetric");
  expect_throws_once_moved(
      AnyOptimizer(SGD{}), [](AnyOptimizer& rule) { rule.slot_count(); }, "AnyOptimizer");
  expect_throws_once_moved(
      AnyLoss(MeanSquaredError{}),
      [&](AnyLoss& loss) {
        Tape tape;
        loss(tape.input(p), y);
      },
      "AnyLoss");
  expect_throws_once_moved(
      AnyMetric(MeanSquaredError{}), [&](AnyMetric& metric) { metric.update(y, p); }, "a loss as a metric");
  expect_throws_once_moved(
      AnyCallback(LambdaCallback{}),
      [](AnyCallback& callback) {
        OptionVisitor visit;
        callback.state(visit);
      },
      "AnyCallback");
}

TEST(MovedFrom, BoxesThrowWhenAskedForTheirType) {
  expect_throws_once_moved(
      AnyLayer(Dense{1}), [](AnyLayer& layer) { layer.as<Dense>(); }, "AnyLayer");
  expect_throws_once_moved(
      AnyLayer(Dense{1}), [](const AnyLayer& layer) { layer.as<Dense>(); }, "const AnyLayer");
  expect_throws_once_moved(
      AnyMetric(Accuracy{}), [](AnyMetric& metric) { metric.as<Accuracy>(); }, "AnyMetric");
  expect_throws_once_moved(
      AnyLoss(MeanSquaredError{}), [](AnyLoss& loss) { loss.as<MeanSquaredError>(); }, "AnyLoss");
  expect_throws_once_moved(
      AnyLoss(MeanSquaredError{}), [](AnyLoss& loss) { loss.logits(); }, "AnyLoss's logits");
  expect_throws_once_moved(
      AnyOptimizer(SGD{}), [](AnyOptimizer& rule) { rule.as<SGD>(); }, "AnyOptimizer");
  expect_throws_once_moved(
      AnyOptimizer(SGD{}), [](AnyOptimizer& rule) { rule.learning_rate(); }, "AnyOptimizer's rate");
  expect_throws_once_moved(
      AnyOptimizer(SGD{}), [](AnyOptimizer& rule) { rule.options(); }, "AnyOptimizer's options");
  expect_throws_once_moved(
      AnyOptimizer(SGD{}), [](AnyOptimizer& rule) { rule.extras(); }, "AnyOptimizer's extras");
}

TEST(MovedFrom, SchedulesAndBatchersThrow) {
  const auto rate = [](const LearningRate& learning_rate) { learning_rate.at(0); };
  expect_throws_once_moved(LearningRate(CosineDecay{0.1, 10}), rate, "a schedule");
  expect_throws_once_moved(LearningRate([](Index) { return 0.1; }), rate, "a lambda");
  expect_moved_from(
      [] {
        LearningRate schedule = CosineDecay{0.1, 10};
        const LearningRate taken = std::move(schedule);
        AnyOptimizer(SGD{.learning_rate = schedule});
      },
      "a rule with a schedule");
  EXPECT_EQ(testing::error_of<ValueError>([] { LearningRate{std::function<double(Index)>()}; }),
            "learning_rate: the schedule is an empty function");
  const TensorDataset data = testing::blobs(4);
  expect_throws_once_moved(
      Batcher(data), [](Batcher& batcher) { batcher.next_rows(); }, "next_rows");
  expect_throws_once_moved(
      Batcher(data), [](Batcher& batcher) { batcher.next(); }, "next");
  expect_throws_once_moved(
      Batcher(data), [](Batcher& batcher) { batcher.start_epoch(1); }, "start_epoch");
}

TEST(MovedFrom, EveryClassThatAMoveLeavesEmptyIsTested) {
  const auto text_of = [](const std::string& header) {
    std::ifstream file(testing::source_path(header));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::regex include("\n#include \"cornu/([^\"]+)\""), type("\n(?:class|struct) ([A-Z][A-Za-z]*)[^;\n]*\\{");
  const std::regex member(
      "\n  (?:detail::|cornu::detail::|std::)(?:OwnedPtr|DeepPtr|unique_ptr|shared_ptr|function)<[^\n]*> [a-z_]+;");
  std::set<std::string> headers{"models/callbacks/callback.h", "models/metrics/metric.h", "onnx/model.h"}, found;
  const std::string all = text_of("cornu.h");
  for (std::sregex_iterator match(all.begin(), all.end(), include), end; match != end; ++match) {
    headers.insert((*match)[1]);
  }
  for (const std::string& header : headers) {
    const std::string text = text_of(header);
    for (std::sregex_iterator match(text.begin(), text.end(), member), end; match != end; ++match) {
      const std::string before = text.substr(0, static_cast<std::size_t>(match->position()));
      std::string last;
      for (std::sregex_iterator name(before.begin(), before.end(), type); name != end; ++name) last = (*name)[1];
      found.insert(last);
    }
  }
  const std::set<std::string> throws{"AnyCallback",  "AnyLayer",        "AnyLoss",    "AnyMetric",
                                     "AnyOptimizer", "LearningRate",    "Model",      "NpyFile",
                                     "NpzFile",      "SafetensorsFile", "Sequential", "Stream"};
  // Left out: types that cannot be moved (Prefetched, LossMetric), that are then empty, a valid value (Tensor), or
  // without a function, also a valid value (OptionalFunction), and one that throws in its first hook
  // (LearningRateScheduler).
  std::set<std::string> expected{"LearningRateScheduler", "LossMetric", "OptionalFunction", "Prefetched", "Tensor"};
  expected.insert(throws.begin(), throws.end());
  EXPECT_EQ(found, expected);
}

TEST(MovedFrom, FilesThrow) {
  const testing::TemporaryFolder folder;
  const std::string npy = folder / "a.npy", npz = folder / "a.npz", safetensors = folder / "a.safetensors";
  const Tensor tensor({2});
  write_npy(npy, ConstView(tensor));
  write_safetensors(safetensors, {});
  expect_throws_once_moved(
      NpyFile(npy), [](NpyFile& file) { file.array(); }, "NpyFile");
  expect_throws_once_moved(
      SafetensorsFile(safetensors), [](SafetensorsFile& file) { file.tensors(); }, "SafetensorsFile");
  if (has_npz()) {
    write_npz(npz, {});
    expect_throws_once_moved(
        NpzFile(npz), [](NpzFile& file) { file.arrays(); }, "NpzFile");
  }
  expect_moved_from(
      [&] {
        SafetensorsFile file(safetensors);
        const SafetensorsFile taken = std::move(file);
        Sequential::load(file);
      },
      "Sequential::load");
}

TEST(MovedFrom, ValuesAreEmpty) {
  Tensor tensor({2, 3});
  const Tensor taken = std::move(tensor);
  EXPECT_EQ(tensor, Tensor());
  EXPECT_EQ(tensor.begin(), tensor.end());
  TensorDataset data = testing::blobs(4);
  const TensorDataset of_data = std::move(data);
  EXPECT_EQ(data.size(), 0);
  History history = testing::classifier().fit(of_data, {.verbose = Verbose::silent});
  const History of_history = std::move(history);
  EXPECT_TRUE(history.epoch.empty());
}

}  // namespace
}  // namespace cornu
