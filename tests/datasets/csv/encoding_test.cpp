#include "cornu/datasets/csv/encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/csv.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;
using testing::csv::error;
using testing::csv::Names;
using testing::csv::read;
using testing::csv::x_of;
using testing::csv::y_of;

const std::string train_text =
    "id,colour,size,kind\n1,red,2,cherry\n2,yellow,9,banana\n3,red,8,apple\n4,blue,1,cherry\n";

CsvEncoding learnt(const CsvOptions& more = {}) {
  CsvOptions options = more;
  options.ignored = {"id"};
  return read(train_text, options).encoding();
}

TEST(CsvEncoding, KeepsTheIndicesOfTheTrainingTable) {
  const CsvDataset test = read("kind,weight,size,colour\nbanana,5,7,yellow\ncherry,6,3,blue\n", {.like = learnt()});
  EXPECT_EQ(test.feature_names(), (Names{"colour=blue", "colour=red", "colour=yellow", "size"}));
  EXPECT_EQ(test.class_names(), (Names{"apple", "banana", "cherry"}));
  EXPECT_EQ(test.target_name(), "kind");
  EXPECT_EQ(x_of(test), Tensor::matrix({{0, 0, 1, 7}, {1, 0, 0, 3}}));
  EXPECT_EQ(y_of(test), Tensor::vector({1, 2}));
  EXPECT_EQ(test.encoding(), learnt());
}

TEST(CsvEncoding, ReadsOnlyFeaturesIfTheTargetIsMissingOrIgnored) {
  for (const CsvDataset& data : {read("size,colour\n7,yellow\n", {.like = learnt()}),
                                 read("size,colour,kind\n7,yellow,pear\n", {.target = std::nullopt, .like = learnt()}),
                                 read("size,colour,kind\n7,yellow,\n", {.target = std::nullopt, .like = learnt()})}) {
    EXPECT_FALSE(data.has_target());
    EXPECT_EQ(data.target_shape(), Shape{0});
    EXPECT_EQ(data.classes(), 3);
    EXPECT_EQ(x_of(data), Tensor::matrix({{0, 0, 1, 7}}));
  }
  const CsvDataset alone = read("a,b\n1,x\n2,y\n", {.target = std::nullopt});
  EXPECT_EQ(alone.feature_names(), (Names{"a", "b=x", "b=y"}));
  EXPECT_EQ(alone.target_name(), "");
  EXPECT_FALSE(alone.has_target());
  EXPECT_EQ(x_of(alone), Tensor::matrix({{1, 1, 0}, {2, 0, 1}}));
}

TEST(CsvEncoding, NamesTheUnknownCategoryAndTheKnownOnes) {
  EXPECT_EQ(error("colour,size\nred,1\ngreen,2\n", {.like = learnt()}),
            "a.csv, line 3, column \"colour\": \"green\" is not among the categories of the encoding: blue, red, "
            "yellow (.unknown = CsvOptions::other allows it)");
  EXPECT_EQ(error("colour,size,kind\nred,1,pear\n", {.like = learnt(), .unknown = CsvOptions::other}),
            "a.csv, line 2, column \"kind\": \"pear\" is not among the classes of the encoding: apple, banana, "
            "cherry");
  EXPECT_EQ(error("colour,size\nred,big\n", {.like = learnt()}),
            "a.csv, line 2, column \"size\": \"big\" is not a number, but the encoding was learnt from numbers");
}

TEST(CsvEncoding, MapsAnUnknownTextToNoCategoryOnRequest) {
  const std::string text = "size,colour\n7,green\n8,red\n";
  const Tensor expected = Tensor::matrix({{0, 0, 0, 7}, {0, 1, 0, 8}});
  EXPECT_EQ(x_of(read(text, {.like = learnt(), .unknown = CsvOptions::other})), expected);
  EXPECT_EQ(x_of(read(text, {.like = learnt({.unknown = CsvOptions::other})})), expected) << "the encoding says so";
}

TEST(CsvEncoding, FillsInTheMeansOfTheTrainingTable) {
  const std::string text = "size,colour\n,red\n100,\n";
  const Tensor expected = Tensor::matrix({{0, 1, 0, 5}, {0, 0, 0, 100}});
  EXPECT_EQ(x_of(read(text, {.like = learnt(), .missing = CsvOptions::fill_in})), expected);
  EXPECT_EQ(x_of(read(text, {.like = learnt({.missing = CsvOptions::fill_in})})), expected);
  EXPECT_EQ(error(text, {.like = learnt()}),
            "a.csv, line 2, column \"size\": the value is missing (\"\"); set .missing to allow it");
}

TEST(CsvEncoding, RejectsATableThatLacksAColumn) {
  EXPECT_EQ(error("colour,sise,kind\nred,1,apple\n", {.like = learnt()}),
            "a.csv: the encoding needs a column \"size\"; there are: colour, sise, kind");
  EXPECT_EQ(
      error("1,2\n3,4\n", {.like = learnt()}),
      "a.csv, line 1: no column has a name of the encoding (colour, size); .header = false finds columns by position");
  EXPECT_EQ(error("colour;size\nred;1\n", {.like = learnt()}),
            "a.csv, line 1: no column has a name of the encoding (colour, size); is the delimiter ';'? "
            "(.delimiter); .header = false finds columns by position");
  EXPECT_EQ(x_of(read("colour;size\nred;1\n", {.like = learnt(), .delimiter = ';'})), Tensor::matrix({{0, 1, 0, 1}}));
}

TEST(CsvEncoding, FindsColumnsByPositionWithoutAHeader) {
  const CsvEncoding encoding = read("red,x,2.5\nblue,y,3\nred,y,4\n", {.target = 1, .header = false}).encoding();
  for (const char* text : {"blue,x,7\n", "blue,7\n", "colour,number\nblue,7\n"}) {
    EXPECT_EQ(x_of(read(text, {.like = encoding})), Tensor::matrix({{1, 0, 7}})) << text;
  }
  EXPECT_EQ(y_of(read("blue,y,7\n", {.like = encoding})), Tensor::vector({1}));
  EXPECT_EQ(error("blue,y,7,1\n", {.like = encoding}), "a.csv, line 1: 4 columns; the encoding's training table has 3");
  EXPECT_EQ(x_of(read("9,red,8,apple\n", {.like = learnt(), .header = false})), Tensor::matrix({{0, 1, 0, 8}}));
}

TEST(CsvEncoding, RejectsOptionsThatContradictIt) {
  EXPECT_EQ(error<ValueError>(train_text, {.ignored = {"id"}, .like = learnt()}),
            "a.csv: .ignored and .categorical are already in the encoding (.like)");
  EXPECT_EQ(error<ValueError>(train_text, {.target = "size", .like = learnt()}),
            "a.csv: the target is \"size\", but the encoding (.like) has \"kind\"");
  EXPECT_EQ(read(train_text, {.target = "kind", .like = learnt()}).classes(), 3);
  EXPECT_EQ(error<ValueError>(train_text, {.like = CsvEncoding{}}), "a.csv: .like is an encoding without features");
}

/// A table of numeric and text columns, and a target of either kind, with its rows in the order of `rows`.
struct Table {
  std::vector<std::vector<std::string>> columns;
  std::vector<std::string> names;

  std::string text(const std::vector<Index>& rows, const std::vector<Index>& order, char delimiter, bool header) const {
    std::string result;
    const auto line = [&](const auto& cell_of) {
      for (const Index column : order) {
        result += cell_of(static_cast<std::size_t>(column));
        result += delimiter;
      }
      result.back() = '\n';
    };
    if (header) line([&](std::size_t column) { return names[column]; });
    for (const Index row : rows) {
      line([&](std::size_t column) { return columns[column][static_cast<std::size_t>(row)]; });
    }
    return result;
  }
};

/// Splitting any table anywhere and reading both parts with one encoding gives the same as reading the whole table.
TEST(CsvEncoding, ReadingInPartsEqualsReadingTheWholeTable) {
  Rng rng(7);
  for (int round = 0; round < 400; ++round) {
    const Index features = 1 + rng.below(5), rows = 12 + rng.below(20), categories = 1 + rng.below(5);
    const bool decimal_comma = rng.below(2) == 0, header = rng.below(4) != 0;
    const char delimiter =
        decimal_comma ? ';' : std::array{',', ';', '\t', ' '}[static_cast<std::size_t>(rng.below(4))];
    Table table;
    for (Index column = 0; column <= features; ++column) {
      table.names.push_back("c" + std::to_string(rng.below(1000) * 10 + column));
      auto& cells = table.columns.emplace_back();
      const bool texts = rng.below(2) == 0;
      for (Index row = 0; row < rows; ++row) {
        std::string cell = "t" + std::to_string(row < categories ? row : rng.below(categories));
        if (!texts) {
          cell = std::to_string(rng.below(100)) + (decimal_comma ? "," : ".") + std::to_string(rng.below(100));
        }
        cells.push_back(cell);
      }
    }
    std::vector<Index> all(static_cast<std::size_t>(rows)), order(static_cast<std::size_t>(features + 1));
    std::iota(all.begin(), all.end(), Index{0});
    std::iota(order.begin(), order.end(), Index{0});
    CsvOptions options{.target = static_cast<Index>(rng.below(features + 1)), .delimiter = delimiter, .header = header};
    if (decimal_comma) options.decimal = ',';
    const CsvDataset together = read(table.text(all, order, delimiter, header), options);

    // The training part has every category. The rows of the other part are shuffled, and its columns too if they have
    // names.
    std::vector<Index> rest(all.begin() + categories, all.end());
    rng.shuffle(rest);
    const auto cut = rest.begin() + static_cast<Index>(rng.below(std::ssize(rest)));
    std::vector<Index> train_rows(all.begin(), all.begin() + categories), test_rows(cut, rest.end());
    train_rows.insert(train_rows.end(), rest.begin(), cut);
    rng.shuffle(train_rows);
    const CsvDataset train = read(table.text(train_rows, order, delimiter, header), options);
    if (header) rng.shuffle(order);
    const CsvEncoding encoding = parse_csv_encoding(to_string(train.encoding()));
    ASSERT_EQ(encoding, train.encoding());
    const CsvDataset test = read(table.text(test_rows, order, delimiter, header), {.like = encoding});
    for (const auto& [part, part_rows] : {std::pair(&train, &train_rows), std::pair(&test, &test_rows)}) {
      ASSERT_EQ(part->feature_names(), together.feature_names());
      ASSERT_EQ(part->class_names(), together.class_names());
      const DatasetSubset subset(together, *part_rows);
      const TensorDataset expected = gathered(subset);
      ASSERT_EQ(x_of(*part), expected.x());
      ASSERT_EQ(y_of(*part), expected.y());
    }
  }
}

TEST(CsvEncoding, IsUnchangedBySavingAndLoading) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.json";
  CsvEncoding encoding = learnt({.missing = CsvOptions::drop_row, .unknown = CsvOptions::other});
  encoding.features[0].categories.push_back("z \"quoted\"\n\t\\");
  encoding.features[1].mean = 0.1 + 0.2;
  encoding.thousands = '\'';
  encoding.units = {"$", "€"};
  encoding.save(path);
  EXPECT_EQ(CsvEncoding::load(path), encoding);
  EXPECT_EQ(testing::content(path).substr(0, 40), R"({"version":1,"features":[{"name":"colour)");
  EXPECT_EQ(error_of<FileError>([&] { CsvEncoding::load(path + "x"); }).substr(0, path.size() + 1), path + "x");
}

TEST(CsvEncoding, RejectsInvalidFiles) {
  const std::string text = to_string(learnt());
  const auto error = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    return error_of<FormatError>([&] { parse_csv_encoding(changed); });
  };
  const std::string where = "the encoding of a table: ";
  EXPECT_EQ(error(R"("version":1)", R"("version":2)"),
            where + "version 2 of the format; this program knows those up to 1");
  EXPECT_EQ(error(R"("position":1)", R"("position":4)"),
            where + "column \"colour\": its position is 4, but there are 4 columns");
  EXPECT_EQ(error(R"("position":1)", R"("position":2)"),
            where + "column \"size\": its position 2 is that of another column");
  EXPECT_EQ(error("\"red\"", "\"blue\""), where + "column \"colour\": duplicate category \"blue\"");
  EXPECT_EQ(error("\"size\"", "\"kind\""), where + "duplicate column \"kind\"");
  EXPECT_EQ(error("\"mean\":5.0", "\"mean\":\"NaN\""), where + "column \"size\": its mean is not finite");
  EXPECT_EQ(error(R"("delimiter":",")", R"("delimiter":",,")"),
            where + "delimiter is \",,\"; one character is required");
  EXPECT_EQ(error_of<FormatError>([&] { parse_csv_encoding("{}"); }), where + "there are no features");
  EXPECT_EQ(error_of<FormatError>([&] { parse_csv_encoding("5"); }).substr(0, where.size()), where);
  EXPECT_EQ(error_of<FormatError>([&] { parse_csv_encoding(std::string((4 << 20) + 1, ' ')); }),
            "the encoding of a table: 4194305 bytes; at most 4194304 are allowed");
  const testing::Refused refused = testing::read_damaged(text, [](const std::string& damaged) {
    const CsvEncoding encoding = parse_csv_encoding(damaged);
    EXPECT_EQ(parse_csv_encoding(to_string(encoding)), encoding);
  });
  EXPECT_EQ(refused.cut, std::ssize(text));
}

TEST(CsvEncoding, CannotBeSavedWithNamesThatAreNotUtf8) {
  CsvEncoding encoding = read("a,b\nMoller,1\nMaier,2\n").encoding();
  encoding.features[0].categories[1] = "M\xFCller";
  EXPECT_EQ(error_of<ValueError>([&] { static_cast<void>(to_string(encoding)); }),
            "the encoding of a table cannot be saved: the text \"M\\xfcller\" is not UTF-8 (at byte 1); is it Latin-1? "
            "Files store text as UTF-8");
}

}  // namespace
}  // namespace cornu
