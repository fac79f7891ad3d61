#include "cornu/datasets/csv/csv.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "cornu/core/error.h"
#include "cornu/tests/support/allocation_counter.h"
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

TEST(Csv, ReadsNumbersAndUsesTheLastColumnAsTarget) {
  const CsvDataset data = read("width,height,area\n1,2,2\n-3.5,+1e2,-350\n.5,4,2\n");
  EXPECT_EQ(data.size(), 3);
  EXPECT_EQ(data.feature_names(), (Names{"width", "height"}));
  EXPECT_EQ(data.target_name(), "area");
  EXPECT_EQ(data.classes(), 0);
  EXPECT_EQ(x_of(data), Tensor::matrix({{1, 2}, {-3.5, 100}, {0.5, 4}}));
  EXPECT_EQ(y_of(data), Tensor::matrix({{2}, {-350}, {2}}));
}

TEST(Csv, EncodesTextsAsOneHotAndTextTargetsAsClasses) {
  const CsvDataset data = read("colour,size,fruit\nred,2,cherry\nyellow,9,banana\nred,8,apple\nblue,1,cherry\n");
  EXPECT_EQ(data.feature_names(), (Names{"colour=blue", "colour=red", "colour=yellow", "size"}));
  EXPECT_EQ(data.class_names(), (Names{"apple", "banana", "cherry"}));
  EXPECT_EQ(x_of(data), Tensor::matrix({{0, 1, 0, 2}, {0, 0, 1, 9}, {0, 1, 0, 8}, {1, 0, 0, 1}}));
  EXPECT_EQ(y_of(data), Tensor::vector({2, 1, 0, 2}));
}

TEST(Csv, FindsTheTargetByNameOrIndex) {
  const std::string text = "a,b,c\n1,2,3\n4,5,6\n";
  for (const CsvColumn& target : {CsvColumn("b"), CsvColumn(1), CsvColumn(-2)}) {
    const CsvDataset data = read(text, {.target = target});
    EXPECT_EQ(data.target_name(), "b");
    EXPECT_EQ(data.feature_names(), (Names{"a", "c"}));
    EXPECT_EQ(x_of(data), Tensor::matrix({{1, 3}, {4, 6}}));
    EXPECT_EQ(y_of(data), Tensor::matrix({{2}, {5}}));
  }
}

TEST(Csv, SupportsIgnoredAndCategoricalColumns) {
  const CsvDataset data =
      read("id,zip,y\nx1,02,1\nx2,10,0\nx3,02,1\n", {.ignored = {"id"}, .categorical = {"zip", -1}});
  EXPECT_EQ(data.feature_names(), (Names{"zip=02", "zip=10"}));
  EXPECT_EQ(data.class_names(), (Names{"0", "1"}));
  EXPECT_EQ(x_of(data), Tensor::matrix({{1, 0}, {0, 1}, {1, 0}}));
  EXPECT_EQ(y_of(data), Tensor::vector({1, 0, 1}));
}

TEST(Csv, ReadsQuotesAccordingToTheRFC) {
  const CsvDataset data =
      read("\"a, b\",\"say \"\"hi\"\"\",y\r\n\"1\",\"two\r\nlines, and a \"\"quote\"\"\",3\r\n2, \"\" ,4",
           {.missing_values = {}});
  EXPECT_EQ(data.feature_names(), (Names{"a, b", "say \"hi\"=", "say \"hi\"=two\r\nlines, and a \"quote\""}));
  EXPECT_EQ(x_of(data), Tensor::matrix({{1, 0, 1}, {2, 1, 0}}));
  EXPECT_EQ(y_of(data), Tensor::matrix({{3}, {4}}));
}

TEST(Csv, SupportsOtherDelimitersLineEndsAndNoHeader) {
  const Tensor x = Tensor::matrix({{1, 2}, {3, 4}}), y = Tensor::matrix({{5}, {6}});
  for (const std::string text : {"1;2;5\n3;4;6", "1;2;5\r\n3;4;6\r\n", "1;2;5\r3;4;6\r", "\n\n1 ; 2;5\n\n 3;4 ;6\n\n",
                                 "\xEF\xBB\xBF"
                                 "1;2;5\n3;4;6\n"}) {
    const CsvDataset data = read(text, {.delimiter = ';', .header = false});
    EXPECT_EQ(x_of(data), x) << text;
    EXPECT_EQ(y_of(data), y) << text;
    EXPECT_EQ(data.feature_names(), (Names{"0", "1"}));
  }
  EXPECT_EQ(x_of(read("a\tb\n1\t2\n", {.delimiter = '\t'})), Tensor::matrix({{1}}));
}

TEST(Csv, DropsRowsWithMissingValuesOnRequest) {
  const CsvDataset data =
      read("a,b,y\n1,red,1\n,blue,2\n3,NA,3\n4,red,?\n5,green,5\n", {.missing = CsvOptions::drop_row});
  EXPECT_EQ(data.feature_names(), (Names{"a", "b=green", "b=red"})) << "dropped rows add no categories";
  EXPECT_EQ(x_of(data), Tensor::matrix({{1, 0, 1}, {5, 1, 0}}));
}

TEST(Csv, FillsInTheMeanOrNoCategoryOnRequest) {
  const CsvDataset data = read("a,b,y\n,,1\n1,red,2\n5,NA,3\n", {.missing = CsvOptions::fill_in});
  EXPECT_EQ(x_of(data), Tensor::matrix({{3, 0}, {1, 1}, {5, 0}}));
}

TEST(Csv, ReportsWhereAValueIsMissing) {
  EXPECT_EQ(error("a,b\n1,2\n,4\n"),
            "a.csv, line 3, column \"a\": the value is missing (\"\"); set .missing to allow it");
  EXPECT_EQ(error("a,b\n1,2\n3,NA\n", {.missing = CsvOptions::fill_in}),
            "a.csv, line 3, column \"b\": the value is missing (\"NA\")");
  EXPECT_EQ(error("a,b\n?,2\n,4\n", {.missing = CsvOptions::fill_in}), "a.csv: column \"a\" has no values");
  EXPECT_EQ(error("a,b\n?,2\n,4\n", {.categorical = {"a"}, .missing = CsvOptions::fill_in}),
            "a.csv: column \"a\" has no values");
  EXPECT_EQ(error("a,b\n?,2\n,4\n", {.missing = CsvOptions::drop_row}),
            "a.csv: there are no rows of data (2 had missing values and were dropped)");
}

TEST(Csv, UnderflowGivesZero) {
  const CsvDataset data = read("a,b\n1e-400,1\n-1e-400,2\n4,3\n");
  EXPECT_EQ(x_of(data), Tensor::matrix({{0}, {0}, {4}}));
}

TEST(Csv, LimitsTheSizeOfRowsAndCells) {
  const std::string commas(4'000'000, ','), row = "1,2\n1,2\n" + commas,
                                            cell = "a,b\n1," + std::string(40'000'000, '2');
  for (const auto& [file, text] :
       {std::pair(&commas, "a.csv, line 1, column number 100000: a row of more than 100000 cells"),
        std::pair(&row, "a.csv, line 3, column number 100000: a row of more than 100000 cells"),
        std::pair(&cell, "a.csv, line 2, column number 2: a cell of more than 1048576 bytes")}) {
    std::istringstream stream(*file);
    const testing::PeakMemory memory;
    EXPECT_EQ(error_of<FormatError>([&] { read_csv(stream, "a.csv", {}); }), text);
    EXPECT_LT(memory.bytes(), 24'000'000);
  }
}

TEST(Csv, ReportsTheLineAndColumnOfErrors) {
  EXPECT_EQ(error("a,b\n1,2\n\"x\ny\",4\n3,4,5\n"),
            "a.csv, line 3, column \"a\": \"x\\u000ay\" is not a number, but the values before it are (list the column "
            "in .categorical if its values are names)");
  EXPECT_EQ(error("a,b\nx,\"2\n\"\nz,\"3\",4\n"),
            "a.csv, line 4, column number 3: the row has 3 cells, but the first row has 2");
  EXPECT_EQ(error("a,b\n1,2\n3\n"), "a.csv, line 3, column \"b\": the row has 1 cells, but the first row has 2");
  EXPECT_EQ(error("a,b\n1,\"2\n3,4\n"), "a.csv, line 2, column number 2: an unclosed quote");
  EXPECT_EQ(error("a,b\n1,2\"\n"), "a.csv, line 2, column number 2: a quote inside an unquoted cell");
  EXPECT_EQ(error("a,b\n\"1\"x,2\n"), "a.csv, line 2, column number 1: text after the closing quote");
  for (const std::string text : {"1 2", "--1", "tall", "2024-01-02"}) {
    EXPECT_EQ(error("a,b\n1,2\n" + text + ",4\n"), "a.csv, line 3, column \"a\": \"" + text +
                                                       "\" is not a number, but the values before it are (list the "
                                                       "column in .categorical if its values are names)");
    EXPECT_EQ(error("a,b\nred,2\n" + text + ",2\n3,4\n"),
              "a.csv, line 4, column \"a\": \"3\" is a number, but \"red\" in line 2 is not (list the column in "
              ".categorical if its values are names)");
  }
  EXPECT_EQ(error("a,a\n1,2\n"), "a.csv: two columns are called \"a\"");
  EXPECT_EQ(error("a,b,b\n1,2,3\n", {.target = "b"}), "a.csv: two columns are called \"b\"");
  EXPECT_EQ(read("a,b,,\n1,2,,\n3,4,,\n", {.target = "b", .ignored = {2, 3}}).size(), 2) << "ignored columns";
  EXPECT_EQ(error(""), "a.csv: it is empty");
  EXPECT_EQ(error("\n \n"), "a.csv: it is empty");
  EXPECT_EQ(error("a,b\n"), "a.csv: there are no rows of data");
}

TEST(Csv, RejectsTooManyCategories) {
  const std::string text = "a,b\np,1\nq,2\nr,3\n";
  EXPECT_EQ(
      error(text, {.most_categories = 2}),
      "a.csv, line 4, column \"a\": \"r\" is distinct text number 3; is this a column of ids or names? (list it in "
      ".ignored, or raise .most_categories)");
  EXPECT_EQ(read(text, {.most_categories = 3}).feature_names().size(), 3u);
}

/// A feature's name contains its column's name, so a long one is stored once per category.
TEST(Csv, LimitsTheMemoryForNames) {
  std::string text = std::string(100'000, 'a') + ",y\n";
  for (int i = 0; i < 1000; ++i) text += 'x' + std::to_string(i) + ",1\n";
  const testing::PeakMemory memory;
  EXPECT_EQ(error(text),
            "a.csv, line 172: its columns and categories would take more than three times its size in memory");
  EXPECT_LT(memory.bytes(), Index{2} << 20);
}

TEST(Csv, NumbersTakeAtMostFourTimesTheFileInMemory) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 100'000; ++i) text += "1,2,3\n";
  std::istringstream stream(text);
  const testing::PeakMemory memory;
  EXPECT_EQ(read_csv(stream, "a.csv").size(), 100'000);
  EXPECT_LT(memory.bytes(), static_cast<Index>(sizeof(Real)) * std::ssize(text) + (Index{1} << 17));
}

TEST(Csv, RejectsOrReadsDamagedFiles) {
  const std::string text = "size,colour,kind\r\n1,red,\"x \"\"y\"\"\"\r\n2.5,blue,\"z,\nw\"\n-3e2,red,z\n";
  ASSERT_EQ(read(text).size(), 3);
  for (const CsvOptions::Missing missing : {CsvOptions::refuse, CsvOptions::drop_row, CsvOptions::fill_in}) {
    const testing::Refused refused = testing::read_damaged(text, [&](const std::string& damaged) {
      const CsvDataset data = read(damaged, {.missing = missing});
      EXPECT_EQ(x_of(data).shape(), (Shape{data.size(), std::ssize(data.feature_names())}));
    });
    EXPECT_GT(refused.cut, std::ssize(text) / 2);
    EXPECT_GT(refused.flipped, std::ssize(text));
  }
}

TEST(Csv, RejectsOptionsThatNameNoColumn) {
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.target = "c"}),
            "a.csv: there is no column \"c\" (target); there are: a, b");
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.ignored = {2}}),
            "a.csv: there is no column 2 (ignored); there are: a, b");
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.ignored = {-1}}), "a.csv: the target \"b\" is in .ignored");
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.delimiter = '"'}),
            "a.csv: a quote or a line break cannot be the delimiter");
}

TEST(Csv, ReadsFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / "b.csv";
  std::ofstream(path) << "a,y\n1,2\nx,3\n";
  EXPECT_EQ(read_csv(path, {.categorical = {"a"}}).size(), 2);
  EXPECT_EQ(error_of<FormatError>([&] { read_csv(path); }).substr(0, path.size() + 8), path + ", line 3");
  EXPECT_EQ(error_of<FileError>([&] { read_csv(path + "x"); }),
            path + "x: cannot be opened (No such file or directory)");
  EXPECT_EQ(error_of<FileError>([&] { read_csv(folder.path().string()); }),
            folder.path().string() + ": this is a folder, not a file");
  if (std::filesystem::exists("/dev/zero")) {
    EXPECT_EQ(error_of<FormatError>([&] { read_csv("/dev/zero"); }),
              "/dev/zero: it begins with 00 00 00 00 00 00 00 00, which is not text");
  }
}

TEST(Csv, GathersTheRequestedRows) {
  const CsvDataset data = read("a,b,y\n1,p,no\n2,q,yes\n3,p,yes\n");
  Tensor x({2, 3}), y(Shape{2});
  const std::vector<Index> rows{2, 0};
  data.gather(rows, x, y);
  EXPECT_EQ(x, Tensor::matrix({{3, 1, 0}, {1, 1, 0}}));
  EXPECT_EQ(y, Tensor::vector({1, 0}));
  const std::vector<Index> beyond{3, 0};
  EXPECT_EQ(error_of<ValueError>([&] { data.gather(beyond, x, y); }),
            "CsvDataset: row 3 is out of range; there are 3 rows");
}

}  // namespace
}  // namespace cornu
