#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "cornu/core/error.h"
#include "cornu/datasets/csv_encoding.h"
#include "cornu/formats/npy.h"
#include "cornu/formats/npz.h"
#include "cornu/formats/safetensors.h"
#include "cornu/models/callbacks.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/temporary_folder.h"

// What an object that was moved from does: it throws StateError, and can be assigned to and destroyed.

namespace cornu {
namespace {

constexpr std::string_view moved_from =
    "an object was used after it was moved from; only assigning to it and destroying it are possible";

template <class Action>
void expect_moved_from(Action action, const std::string& what) {
  SCOPED_TRACE(what);
  const std::string text = testing::error_of<StateError>(action);
  EXPECT_TRUE(text.ends_with(moved_from)) << text;
}

/// The public functions of Sequential, as its header has them, but for those that every class has.
std::set<std::string> functions_of_sequential() {
  std::ifstream file(testing::source_path("models/sequential.h"));
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t from = text.find("\nclass Sequential {");
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

  std::set<std::string> expected = functions_of_sequential();
  expected.erase("load");  // which is static
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
  other = std::move(model);  // nothing, moved on
  expect_moved_from([&] { other.name(); }, "assigned from one that was moved from");
}

/// Moves the object away, and uses it.
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
  expect_throws_once_moved(
      Optimizer(SGD{}, {}), [](Optimizer& optimizer) { optimizer.step(Gradients()); }, "Optimizer");
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
