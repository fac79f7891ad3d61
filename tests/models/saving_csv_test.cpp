#include <gtest/gtest.h>

#include <numeric>

#include "cornu/cornu.h"
#include "cornu/tests/support/csv.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;
using testing::csv::read;

/// Flowers: the kind follows from the colour and the height.
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
  /// The columns in another order, and one more.
  std::string turned(const std::vector<Index>& rows) const {
    std::string text = "kind,note,height,colour\n";
    for (const Index row : rows) {
      const auto i = static_cast<std::size_t>(row);
      text += message("{},-,{},{}\n", kinds[i], heights[i], colours[i]);
    }
    return text;
  }
};

Sequential trained(const CsvDataset& train) {
  Sequential model({Input{train.feature_shape()[0]}, Dense{8, relu}, Dense{train.classes(), softmax}}, {.seed = 2});
  model.compile(
      {.optimizer = Adam{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(train, {.epochs = 3, .verbose = Verbose::silent});
  model.set_csv_encoding(train.encoding());
  return model;
}

/// The class of the rows that are left is among the last ones of three and their colours are two of four: numbers that
/// are given anew for each file would all be others.
TEST(SavingCsv, AModelSeesATestTableAsIfBothHadBeenReadTogether) {
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
  Sequential model = trained(train_file);
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

TEST(SavingCsv, TheEncodingGoesWhereTheModelGoes) {
  const TemporaryFolder folder;
  const Flowers flowers(40);
  std::vector<Index> rows(40);
  std::iota(rows.begin(), rows.end(), Index{0});
  const CsvDataset train = read(flowers.table(rows), {.target = "kind", .unknown = CsvOptions::other});
  Sequential model = trained(train);
  Sequential other = model;
  const Sequential copy = model, moved = std::move(other);
  EXPECT_EQ(copy.csv_encoding(), train.encoding());
  EXPECT_EQ(moved.csv_encoding(), train.encoding());
  const std::string path = folder / "m.safetensors", again = folder / "n.safetensors";
  model.fit(train, {.verbose = Verbose::silent, .callbacks = {ModelCheckpoint{.filepath = path}}});
  Sequential loaded = Sequential::load(path);
  EXPECT_EQ(loaded.csv_encoding(), train.encoding());
  loaded.save(again);
  EXPECT_EQ(Sequential::load(again, {.compile = false}).csv_encoding(), train.encoding())
      << "kept by who knows nothing of it";

  Sequential without{Input{2}, Dense{1}};
  without.save(path);
  EXPECT_FALSE(Sequential::load(path).has_csv_encoding());
  EXPECT_EQ(error_of<StateError>([&] { static_cast<void>(without.csv_encoding()); }),
            "sequential: it has no encoding of a table (set_csv_encoding before it is saved)");
  EXPECT_EQ(error_of<ShapeError>([&] { without.set_csv_encoding(train.encoding()); }),
            "sequential: the table's encoding has 5 features, but the model takes (2,)");
}

TEST(SavingCsv, AnEncodingThatDoesNotFitIsRefusedBeforeTheFileIsWritten) {
  const TemporaryFolder folder;
  const CsvDataset train = read("a,b,y\n1,2,3\n", {});
  Sequential model{Dense{1}};
  model.set_csv_encoding(train.encoding());
  model.build({3});
  EXPECT_EQ(error_of<ShapeError>([&] { model.save(folder / "m.safetensors"); }),
            (folder / "m.safetensors").string() +
                ": sequential: the table's encoding has 2 features, but the model takes (3,)");
  reset_parameters(model);
  model.build({2});
  model.save(folder / "m.safetensors");
  EXPECT_TRUE(Sequential::load(folder / "m.safetensors").has_csv_encoding());
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

/// Without targets there is nothing to learn from, which must not look like success.
TEST(SavingCsv, ATableWithoutTargetsCannotBeLearntFrom) {
  const CsvDataset data = read("a,b\n1,2\n3,4\n", {.target = std::nullopt});
  for (const auto& [loss, units] :
       {std::pair(AnyLoss(MeanSquaredError{}), 1), std::pair(AnyLoss(MeanSquaredError{}), 3),
        std::pair(AnyLoss(SparseCategoricalCrossentropy{.from_logits = true}), 3),
        std::pair(AnyLoss(BinaryCrossentropy{.from_logits = true}), 1)}) {
    Sequential model{Input{2}, Dense{units}};
    model.compile({.optimizer = SGD{}, .loss = loss});
    EXPECT_THROW(model.fit(data, {.verbose = Verbose::silent}), ShapeError);
    EXPECT_THROW(model.evaluate(data), ShapeError);
    EXPECT_EQ(model.predict(data).shape(), (Shape{2, units}));
  }
}

}  // namespace
}  // namespace cornu
