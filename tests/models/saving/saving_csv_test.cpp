#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <utility>

#include "cornu/cornu.h"
#include "cornu/tests/support/csv.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;
using testing::csv::read;

/// Flowers: the kind is a function of the colour and the height.
struct Flowers {
  std::vector<std::string> colours, kinds;
  std::vector<Index> heights;

  explicit Flowers(Index count) {
    Rng rng(5);
    for (Index i = 0; i < count; ++i) {
      colours.push_back(std::array{"red", "blue", "white", "green"}[static_cast<std::size_t>(rng.below(4))]);
      heights.push_back(rng.below(100));
      kinds.push_back(colours.back() == "red" ? "rose" : heights.back() > 50 ? "lily" : "daisy");
    }
  }
  std::string table(const std::vector<Index>& rows) const {
    std::string text = "colour,height,kind\n";
    for (const Index row : rows) {
      const auto i = static_cast<std::size_t>(row);
      text += message("{},{},{}\n", colours[i], heights[i], kinds[i]);
    }
    return text;
  }
  /// The columns in another order, and an additional one.
  std::string turned(const std::vector<Index>& rows) const {
    std::string text = "kind,note,height,colour\n";
    for (const Index row : rows) {
      const auto i = static_cast<std::size_t>(row);
      text += message("{},-,{},{}\n", kinds[i], heights[i], colours[i]);
    }
    return text;
  }
};

Sequential trained_on_table(const CsvDataset& train) {
  Sequential model({Input{train.feature_shape()[0]}, Dense{8, relu}, Dense{train.classes(), softmax}}, {.seed = 2});
  model.compile(
      {.optimizer = Adam{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(train, {.epochs = 3, .verbose = Verbose::silent});
  model.set_csv_encoding(train.encoding());
  return model;
}

/// The remaining rows have the last of three classes and two of four colours. Had each file its own numbering, all
/// indices would be different.
TEST(SavingCsv, ATestTableIsEncodedLikeTheTrainingTable) {
  const Flowers flowers(200);
  std::vector<Index> all, train_rows, test_rows;
  for (Index i = 199; i >= 0; --i) {
    const auto& colour = flowers.colours[static_cast<std::size_t>(i)];
    const bool apart =
        i % 2 == 0 && (colour == "red" || colour == "white") && flowers.kinds[static_cast<std::size_t>(i)] != "daisy";
    (apart ? test_rows : train_rows).push_back(i);
  }
  ASSERT_GT(test_rows.size(), 20u);
  all = train_rows;
  all.insert(all.end(), test_rows.begin(), test_rows.end());
  const CsvDataset together = read(flowers.table(all), {.target = "kind"});
  const auto split = std::ssize(train_rows);
  const DatasetSlice train(together, 0, split), test(together, split, together.size() - split);
  const CsvDataset train_file = read(flowers.table(train_rows), {.target = "kind"});
  Sequential model = trained_on_table(train_file);
  EXPECT_EQ(gathered(train_file).x(), gathered(train).x());

  const TemporaryFolder folder;
  model.save(folder / "m.safetensors");
  const Sequential loaded = Sequential::load(folder / "m.safetensors");
  const CsvDataset test_file = read(flowers.turned(test_rows), {.like = loaded.csv_encoding()});
  EXPECT_EQ(loaded.predict(test_file), model.predict(test));
  EXPECT_EQ(loaded.evaluate(test_file)["accuracy"], model.evaluate(test)["accuracy"]);
  const CsvDataset alone = read(flowers.turned(test_rows), {.target = std::nullopt, .like = loaded.csv_encoding()});
  EXPECT_EQ(loaded.predict(alone), model.predict(test));
}

TEST(SavingCsv, TheEncodingIsCopiedMovedAndSavedWithTheModel) {
  const TemporaryFolder folder;
  const Flowers flowers(40);
  std::vector<Index> rows(40);
  std::iota(rows.begin(), rows.end(), Index{0});
  const CsvDataset train = read(flowers.table(rows), {.target = "kind", .unknown = CsvOptions::other});
  Sequential model = trained_on_table(train);
  Sequential other = model;
  const Sequential copy = model, moved = std::move(other);
  EXPECT_EQ(copy.csv_encoding(), train.encoding());
  EXPECT_EQ(moved.csv_encoding(), train.encoding());
  const std::string path = folder / "m.safetensors", again = folder / "n.safetensors";
  model.fit(train, {.verbose = Verbose::silent, .callbacks = {ModelCheckpoint{.filepath = path}}});
  Sequential loaded = Sequential::load(path);
  EXPECT_EQ(loaded.csv_encoding(), train.encoding());
  loaded.save(again);
  EXPECT_EQ(Sequential::load(again, {.compile = false}).csv_encoding(), train.encoding()) << "saving again keeps it";

  Sequential without{Input{2}, Dense{1}};
  without.save(path);
  EXPECT_FALSE(Sequential::load(path).has_csv_encoding());
  EXPECT_EQ(error_of<StateError>([&] { static_cast<void>(without.csv_encoding()); }),
            "sequential: it has no CSV encoding; call set_csv_encoding before saving it");
  EXPECT_EQ(error_of<ShapeError>([&] { without.set_csv_encoding(train.encoding()); }),
            "sequential: the table's encoding has 5 features, but the model takes (2,)");
}

/// Whether the encoding or the shapes are set first.
TEST(SavingCsv, AnEncodingThatDoesNotFitTheModelIsRefused) {
  const TemporaryFolder folder;
  const CsvEncoding three = read("a,b,y\n1,2,x\n1,2,y\n1,2,z\n").encoding(),
                    two = read("a,b,y\n1,2,x\n1,2,y\n").encoding();
  const CsvEncoding numbers = read("a,b,y\n1,2,3\n").encoding();
  const std::string features = "sequential: the table's encoding has 2 features, but the model takes (3,)";
  const std::string classes =
      "sequential: the table's encoding has 3 classes, but the model has 2 outputs; one for each class is required";
  struct Case {
    const CsvEncoding* encoding;
    Index inputs, outputs;
    std::string error;
  };
  for (const Case& one :
       {Case{&three, 3, 3, features}, Case{&numbers, 3, 1, features}, Case{&three, 2, 2, classes},
        Case{&three, 2, 1,
             "sequential: the table's encoding has 3 classes, but the model has 1 output; one for each class is "
             "required"},
        Case{&two, 2, 3,
             "sequential: the table's encoding has 2 classes, but the model has 3 outputs; one for each class is "
             "required, or a single one"},
        Case{&three, 2, 3, ""}, Case{&two, 2, 2, ""}, Case{&two, 2, 1, ""}, Case{&numbers, 2, 1, ""},
        Case{&numbers, 2, 4, ""}}) {
    const CsvEncoding& encoding = *one.encoding;
    const Index inputs = one.inputs, outputs = one.outputs;
    const std::string& said = one.error;
    SCOPED_TRACE(message("{} {} {}", inputs, outputs, said));
    Sequential built{Input{inputs}, Dense{outputs}}, unbuilt{Dense{4}, Dense{outputs}};
    unbuilt.set_csv_encoding(encoding);
    Sequential growing{Input{inputs}};
    if (said != features) growing.set_csv_encoding(encoding);
    if (said.empty()) {
      built.set_csv_encoding(encoding);
      unbuilt.build({inputs});
      growing.add(Dense{7});  // it is not the last one
      growing.add(Dense{outputs});
      for (const Sequential* const model : {&std::as_const(built), &std::as_const(unbuilt), &std::as_const(growing)}) {
        model->save(folder / "m.safetensors");
        EXPECT_TRUE(Sequential::load(folder / "m.safetensors").has_csv_encoding());
      }
      continue;
    }
    EXPECT_EQ(error_of<ShapeError>([&] { built.set_csv_encoding(encoding); }), said);
    EXPECT_FALSE(built.has_csv_encoding());
    EXPECT_EQ(error_of<ShapeError>([&] { unbuilt.build({inputs}); }), said);
    EXPECT_FALSE(unbuilt.built()) << "unchanged";
    unbuilt.compile({.optimizer = SGD{}, .loss = MeanSquaredError{}});
    const Tensor x({4, inputs}), y({4, outputs});
    EXPECT_EQ(error_of<ShapeError>([&] { unbuilt.fit(x, y, {.verbose = Verbose::silent}); }), said);
    EXPECT_EQ(error_of<ShapeError>([&] { unbuilt.train_on_batch(x, y); }), said);
    if (said == features) {
      EXPECT_EQ(error_of<ShapeError>([&] { growing.set_csv_encoding(encoding); }), said);
      continue;
    }
    growing.add(Dense{7});
    growing.add(Dense{outputs});
    EXPECT_EQ(error_of<ShapeError>([&] { growing.save(folder / "n.safetensors"); }),
              (folder / "n.safetensors").string() + ": " + said);
    EXPECT_FALSE(std::filesystem::exists(folder / "n.safetensors"));
  }
}

TEST(SavingCsv, AModelWithAnEncodingCanLoseItsHeadAndBeNested) {
  const CsvEncoding three = read("a,b,y\n1,2,x\n1,2,y\n1,2,z\n").encoding();
  Sequential base{Input{2}, Dense{5}, Dense{3}};
  base.set_csv_encoding(three);
  base.pop();
  Sequential model{base, Dense{1}};
  EXPECT_EQ(model.output_shape(), Shape{1});
}

TEST(SavingCsv, AFileWithABrokenEncodingIsRefused) {
  const TemporaryFolder folder;
  Sequential model{Input{2}, Dense{1}};
  const std::string path = folder / "m.safetensors";
  model.save(path);
  const SafetensorsFile file(path);
  SafetensorsMetadata metadata = file.metadata();
  metadata["cornu.csv_encoding"] = R"({"version":1,"columns":1})";
  const std::string broken = folder / "broken.safetensors";
  write_safetensors(broken, file.tensors(), metadata);
  EXPECT_EQ(error_of<FormatError>([&] { Sequential::load(broken); }),
            broken + ": the encoding of a table: there are no features");
}

/// Training without targets is an error.
TEST(SavingCsv, TrainingOnATableWithoutTargetsIsAnError) {
  const CsvDataset data = read("a,b\n1,2\n3,4\n", {.target = std::nullopt});
  for (const auto& [loss, units] :
       {std::pair(AnyLoss(MeanSquaredError{}), 1), std::pair(AnyLoss(MeanSquaredError{}), 3),
        std::pair(AnyLoss(SparseCategoricalCrossentropy{.from_logits = true}), 3),
        std::pair(AnyLoss(BinaryCrossentropy{.from_logits = true}), 1)}) {
    Sequential model{Input{2}, Dense{units}};
    model.compile({.optimizer = SGD{}, .loss = loss});
    const Index outputs = units;
    const auto said = [&](const char* what) {
      return message(
          "sequential: {} requires targets, but the samples have none (for a table, name the target column in "
          "read_csv's .target)",
          what);
    };
    EXPECT_EQ(error_of<ShapeError>([&] { model.fit(data, {.verbose = Verbose::silent}); }), said("fit"));
    EXPECT_EQ(error_of<ShapeError>([&] { model.evaluate(data); }), said("evaluate"));
    EXPECT_EQ(error_of<ShapeError>([&] {
                const Tensor x({4, 2}), y({4, outputs});
                const TensorDataset train(x, y);
                model.fit(train, {.verbose = Verbose::silent, .validation_data = data});
              }),
              said("validation"));
    EXPECT_EQ(model.predict(data).shape(), (Shape{2, units}));
  }
}

}  // namespace
}  // namespace cornu
