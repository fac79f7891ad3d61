#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/datasets/csv/numbers.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/csv.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::csv::error;
using testing::csv::Names;
using testing::csv::read;
using testing::csv::x_of;

std::string fixture(const std::string& name) { return testing::source_path("tests/datasets/fixtures/" + name); }

// ---- Numbers ----

TEST(CsvFormat, ReadsDecimalCommasOrNamesTheOption) {
  const std::string path = fixture("semi_dec.csv");
  const CsvDataset data = read_csv(path, {.target = std::nullopt, .delimiter = ';', .decimal = ','});
  EXPECT_EQ(x_of(data), Tensor::matrix({{1.5, 2.5, 3.5}}));
  EXPECT_EQ(data.feature_names(), (Names{"a", "b", "c"}));
  EXPECT_EQ(error_of<FormatError>([&] { read_csv(path, {.delimiter = ';'}); }),
            path +
                ", line 2, column \"a\": \"1,5\" is a number with .decimal = ','; list the column in .categorical if "
                "its values are names");
  EXPECT_EQ(error_of<FormatError>([&] { read_csv(path); }),
            path +
                ", line 1: no column is left for a feature; the only column is \"a;b;c\"; is the delimiter ';'? "
                "(.delimiter)");
}

/// The value of a text in a format, and the error without the format's options.
TEST(CsvFormat, NamesTheOptionsThatReadANumber) {
  struct Row {
    std::string text;
    Real value;
    CsvOptions options;
    std::string said;
  };
  const std::vector<Row> rows{
      {"1,5", 1.5, {.decimal = ','}, ".decimal = ','"},
      {"-,5", -0.5, {.decimal = ','}, ".decimal = ','"},
      {"1,5e3", 1500, {.decimal = ','}, ".decimal = ','"},
      {"1,234", 1234, {.thousands = ','}, ".thousands = ',' or .decimal = ','"},
      {"1,234", Real(1.234), {.decimal = ','}, ".thousands = ',' or .decimal = ','"},
      {"1,234,567.5", Real(1234567.5), {.thousands = ','}, ".thousands = ','"},
      {"12,34,567.5", Real(1234567.5), {.thousands = ','}, ".thousands = ','"},
      {"1_000", 1000, {.thousands = '_'}, ".thousands = '_'"},
      {"12\xE2\x80\x99"
       "345",
       12345,
       {.thousands = '\''},
       R"(.thousands = '\'')"},
      {"₽5", 5, {.units = {"₽"}}, ".units = {\"₽\"}"},
      {"1.234.567", 1234567, {.decimal = ',', .thousands = '.'}, ".decimal = ',', .thousands = '.'"},
      {"1.234,5", 1234.5, {.decimal = ',', .thousands = '.'}, ".decimal = ',', .thousands = '.'"},
      {"1 234", 1234, {.thousands = ' '}, ".thousands = ' '"},
      {"1\xC2\xA0"
       "234",
       1234,
       {.thousands = ' '},
       ".thousands = ' '"},
      {"1\xE2\x80\xAF"
       "234,5",
       1234.5,
       {.decimal = ',', .thousands = ' '},
       ".decimal = ',', .thousands = ' '"},
      {"12'345.25", 12345.25, {.thousands = '\''}, R"(.thousands = '\'')"},
      {"$5", 5, {.units = {"$"}}, ".units = {\"$\"}"},
      {"-$5", -5, {.units = {"$"}}, ".units = {\"$\"}"},
      {"$ -5", -5, {.units = {"$"}}, ".units = {\"$\"}"},
      {"+5.5%", 5.5, {.units = {"%"}}, ".units = {\"%\"}"},
      {"5 %", 5, {.units = {"$", "%"}}, ".units = {\"%\"}"},
      {"$1,234.50", 1234.5, {.thousands = ',', .units = {"$"}}, ".thousands = ',', .units = {\"$\"}"},
      {"3,50 €", 3.5, {.decimal = ',', .units = {"€"}}, ".decimal = ',', .units = {\"€\"}"},
      {"\xE2\x88\x92"
       "5.5",
       Real(-5.5),
       {},
       ""},
      {"\xE2\x88\x92"
       "5,5 %",
       Real(-5.5),
       {.decimal = ',', .units = {"%"}},
       ".decimal = ',', .units = {\"%\"}"},
      {"5 kg", 5, {.units = {"kg"}}, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    CsvOptions options = row.options;
    options.delimiter = ';';
    const std::string table = "a;b\n" + row.text + ";1\n";
    EXPECT_EQ(x_of(read(table, options)), Tensor::matrix({{row.value}}));
    if (row.said.empty()) continue;
    EXPECT_EQ(error(table, {.delimiter = ';'}), "a.csv, line 2, column \"a\": \"" + row.text + "\" is a number with " +
                                                    row.said +
                                                    "; list the column in .categorical if its values are names");
    EXPECT_EQ(error("b;a\n1;" + row.text + "\n", {.delimiter = ';'}).substr(0, 28), "a.csv, line 2, column \"a\": \"")
        << "also in a target";
    EXPECT_EQ(error("a;b\n1;1\n" + row.text + ";1\n", {.delimiter = ';'}).substr(0, 28),
              "a.csv, line 3, column \"a\": \"")
        << "among numbers";
    EXPECT_EQ(read(table, {.categorical = {"a"}, .delimiter = ';'}).feature_names(), Names{"a=" + row.text});
  }
}

TEST(CsvFormat, TheEncodingKeepsTheNumberFormat) {
  const CsvEncoding encoding =
      read("a;b\n1.234,5 €;1\n", {.delimiter = ';', .decimal = ',', .thousands = '.', .units = {"€"}}).encoding();
  EXPECT_EQ(x_of(read("b;a\n2;-2.000\n", {.like = encoding})), Tensor::matrix({{-2000}}));
  EXPECT_EQ(x_of(read("b,a\n2,-2.5\n", {.like = encoding, .delimiter = ',', .decimal = '.', .thousands = '\0'})),
            Tensor::matrix({{-2.5}}));
  EXPECT_EQ(error("a\n$5\n", {.like = encoding}),
            "a.csv, line 2, column \"a\": \"$5\" is a number with .units = {\"€\", \"$\"}");
}

TEST(CsvFormat, OtherTextsStayTexts) {
  for (const std::string text : {"red", "12,34,5", "1,23", "x1", "2024-01-02", "12:30", "1.2.3", "Q1", "<5", "a%", "$",
                                 "-", "e5", "5 or 6", ",", "1,2345"}) {
    const bool is_decimal = text == "1,23" || text == "1,2345";
    const std::string table = "a;b\n" + text + ";1\n";
    if (is_decimal) {
      EXPECT_NE(error(table, {.delimiter = ';'}), "") << text;
    } else {
      EXPECT_EQ(read(table, {.delimiter = ';'}).feature_names(), Names{"a=" + text}) << text;
    }
  }
  for (const std::string text : {"1,23", "12,34,56", "123,45,678", "1,23,456,789", "1,2345,678", "1234,567", ",123",
                                 "1,234,", "1,,234", "1,234.5,6", "--1", "$5", "1 %"}) {
    Real number = 0;
    EXPECT_FALSE(detail::parse_number(text, {.thousands = ','}, number)) << text;
  }
}

/// A number written in any format is read back with the same bits.
TEST(CsvFormat, NumbersHaveTheSameBitsInEveryFormat) {
  Rng rng(3);
  for (int round = 0; round < 2000; ++round) {
    const Index whole = rng.below(10'000'000);
    const std::string fraction = std::to_string(rng.below(1000));
    const bool negative = rng.below(2) == 0;
    Real expected = 0;
    ASSERT_TRUE(detail::parse_number((negative ? "-" : "") + std::to_string(whole) + "." + fraction, expected));
    for (const auto& [decimal, thousands] :
         {std::pair('.', ','), std::pair(',', '.'), std::pair(',', ' '), std::pair('.', '\'')}) {
      std::string digits = std::to_string(whole);
      for (auto at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), 1, thousands);
      digits += decimal + fraction;
      for (const std::string& text :
           {(negative ? "-" : "") + digits, (negative ? "-$" : "$") + digits, (negative ? "-" : "") + digits + " %"}) {
        Real number = 0;
        ASSERT_TRUE(
            detail::parse_number(text, {.decimal = decimal, .thousands = thousands, .units = {"$", "%"}}, number))
            << text;
        ASSERT_EQ(number, expected) << text;
      }
    }
  }
}

TEST(CsvFormat, RejectsInvalidMarks) {
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.decimal = 'x'}),
            "a.csv: .decimal is 'x'; it must be one of . , ' _ and a space");
  EXPECT_EQ(error<ValueError>("a,b\n1,2\n", {.thousands = '.'}), "a.csv: .decimal and .thousands are both '.'");
}

// ---- Delimiters ----

TEST(CsvFormat, ReadsTheSpaceSeparatedTablesOfNumPy) {
  const std::string path = fixture("space.csv");
  const CsvDataset data = read_csv(path, {.target = std::nullopt, .delimiter = ' '});
  EXPECT_EQ(x_of(data), Tensor::matrix({{1, 2, 3}, {4, 5, 6}}));
  for (const std::string text : {" 1  2   3 \n4 5 6", "1\t2 \t3\r\n\r\n 4 5 6\t\r\n", "# x y z\n1 2 3\n4 5 6\n",
                                 "x y z\n1 2 3\n4 5 6\n", "\"x\" \"y\"\t\"z\" \n1 2 3\n4 5 6\n"}) {
    EXPECT_EQ(x_of(read(text, {.target = std::nullopt, .delimiter = ' '})), x_of(data)) << text;
  }
  EXPECT_EQ(read("# x y z\n1 2 3\n", {.target = "y", .delimiter = ' '}).feature_names(), (Names{"x", "z"}));
  EXPECT_EQ(x_of(read("1 \"\" 3\n", {.target = std::nullopt, .delimiter = ' ', .header = false, .missing_values = {}})),
            Tensor::matrix({{1, 1, 3}}));
  EXPECT_EQ(error("1 2 3\n4 5\n", {.delimiter = ' '}),
            "a.csv, line 2, column \"2\": the row has 2 cells, but the first row has 3");
}

TEST(CsvFormat, SuggestsTheRightDelimiter) {
  EXPECT_EQ(
      error("a;b\n1;2\n"),
      "a.csv, line 1: no column is left for a feature; the only column is \"a;b\"; is the delimiter ';'? (.delimiter)");
  EXPECT_EQ(error("a\tb\n1\t2\n"),
            "a.csv, line 1: no column is left for a feature; the only column is \"a\\u0009b\"; is the delimiter '\\t'? "
            "(.delimiter)");
  EXPECT_EQ(error("1 2 3\n4 5 6\n"),
            "a.csv, line 1: no column is left for a feature; the only column is \"1 2 3\"; is the delimiter ' '? "
            "(.delimiter)");
  EXPECT_EQ(error("a;b\n1;2\n", {.target = std::nullopt}),
            "a.csv, line 1: a single column, \"a;b\"; is the delimiter ';'? (.delimiter)");
  EXPECT_EQ(error("1 2 3\n4 5 6\n", {.target = std::nullopt}),
            "a.csv, line 1: a single column, \"1 2 3\"; is the delimiter ' '? (.delimiter)");
  EXPECT_EQ(error("a|b\n1,5|2,5\n", {.target = std::nullopt}),
            "a.csv, line 2, column number 2: the row has 3 cells, but the first row has 1; is the delimiter '|'? "
            "(.delimiter)");
  EXPECT_EQ(error("1,5;2,5;3,5\n4,5;5,5;6,5\n"),
            "a.csv, line 1, column \"1\": \"5;2\" is several numbers; is the delimiter ';'? (.delimiter; list the "
            "column in .categorical if its values are names)");
  EXPECT_EQ(error<ValueError>("a;b\n1;2\n", {.target = "b"}),
            "a.csv: there is no column \"b\" (target); there are: a;b; is the delimiter ';'? (.delimiter)");
  EXPECT_EQ(read("a name\n1\n2\n", {.target = std::nullopt}).feature_names(), Names{"a name"});
  EXPECT_EQ(error("a,b\n1,2\n", {.ignored = {"a"}}),
            "a.csv, line 1: no column is left for a feature; the only column is \"a, b\"");
}

TEST(CsvFormat, NamesUtf16) {
  EXPECT_EQ(error(std::string("\xFF\xFE"
                              "a\0,\0b\0",
                              8)),
            "a.csv: text in UTF-16; UTF-8 is required (\"CSV UTF-8\" in Excel)");
  EXPECT_EQ(error(std::string("\xFE\xFF\0a\0,\0b", 8)),
            "a.csv: text in UTF-16; UTF-8 is required (\"CSV UTF-8\" in Excel)");
  EXPECT_EQ(error(std::string("\0a\0,\0b\0\n", 8)),
            "a.csv, line 1: a NUL byte: not a text file, or text in UTF-16; UTF-8 is required");
  EXPECT_EQ(error("\xFE"
                  "b,c\n1,2\n"),
            "a.csv, line 1, column \"\\xfeb\": \"\\xfeb\" is not UTF-8; save the table as UTF-8 (if it is in Latin-1: "
            "iconv -f ISO-8859-1 -t UTF-8)");
}

// ---- The first row ----

TEST(CsvFormat, GuessesWhetherTheFirstRowHasTheNames) {
  const auto rows = [](const std::string& text) { return read(text, {.target = std::nullopt}).size(); };
  for (const std::string text : {"a,b\n1,2\n", "a,b\nx,2\n", "a,b\nx,y\n", "1990,b\n1,2\n", ",b\nx,2\n",
                                 "\"1990\",\"1991\"\n5,6\n", "\"land\",\"1990\"\n\"x\",6\n"}) {
    EXPECT_EQ(rows(text), 1) << text;
  }
  for (const std::string text : {"1,2\n3,4\n", "0,1\n3,4\n", "x,1.5\ny,2\n", "x,x\ny,z\n", "x,y\nx,z\n",
                                 "5.1,setosa\n4.9,versicolor\n", "39,a,7\n50,a,8\n", "\"1\",\"2\"\n\"3\",\"4\"\n"}) {
    EXPECT_EQ(rows(text), 2) << text;
  }
  EXPECT_EQ(rows("1,2\n"), 1);
  for (const std::string text :
       {"land,1990,1991\nfrance,5,6\n", "male,22,1\nfemale,38,0\n", "0,1,2\n5,6,7\n", ",0,1\n0,5,6\n"}) {
    EXPECT_EQ(error(text, {.target = std::nullopt}),
              "a.csv, line 1: the first row may be names or data; set .header to true or false");
    EXPECT_EQ(read(text, {.target = std::nullopt, .header = true}).size(), 1) << text;
  }
  EXPECT_EQ(read("land,1990,1991\nfrance,5,6\n", {.target = "1991"}).size(), 1) << "naming a column implies a header";
  EXPECT_EQ(error("a,b\n"), "a.csv: there are no rows of data");
}

/// Years and column numbers are names as often as data.
TEST(CsvFormat, RequiresTheHeaderOptionForNumbersInEqualSteps) {
  const auto read_all = [](const std::string& text, CsvOptions options = {}) {
    options.target = std::nullopt;
    return read(text, options).size();
  };
  for (const std::string text :
       {"1990,1991,1992\n5,6,7\n", "1990,1991\n0.5,0.25\n", "1990,1995,2000\n1,2,3\n", "400,410,420,430\n1,5,2,3\n"}) {
    EXPECT_EQ(error(text, {.target = std::nullopt}),
              "a.csv, line 1: the first row may be names or data; set .header to true or false")
        << text;
    EXPECT_EQ(read_all(text, {.header = true}), 1) << text;
    EXPECT_EQ(read_all(text, {.header = false}), 2) << text;
  }
  for (const std::string text : {"1990,1991,1992\n1991,1992,1993\n", "1990,1990\n5,6\n", "1,2,3\n7,1,9\n",
                                 "5,4,3,2\n1,1,1,1\n", "1,2,3,4\n5,6,7,8\n", "400,410,421,430\n1,5,2,3\n"}) {
    EXPECT_EQ(read_all(text), 2) << text;
  }
}

TEST(CsvFormat, RemovesTheCommentMarkFromNames) {
  const Names names{"a", "b"};
  for (const std::string text : {"# a,b,y\n1,2,3\n", "#  a ,b,y\nred,2,3\n"}) {
    EXPECT_EQ(read(text).feature_names()[0].substr(0, 1), "a") << text;
    EXPECT_EQ(read(text, {.target = "y"}).size(), 1) << text;
    EXPECT_EQ(read(text, {.header = true}).size(), 1) << text;
  }
  EXPECT_EQ(read("# a;b;y\n1;2;3\n", {.delimiter = ';'}).feature_names(), names);
  EXPECT_EQ(read("# a b y\n1 2 3\n", {.delimiter = ' '}).feature_names(), names);
  EXPECT_EQ(read("#,b,y\n1,2,3\n").feature_names(), (Names{"#", "b"})) << "row numbers in a column named #";
  EXPECT_EQ(read("#a,b,y\n1,2,3\n").feature_names(), (Names{"#a", "b"}));
  EXPECT_EQ(read("\"# a\",b,y\n1,2,3\n").feature_names(), (Names{"# a", "b"}));
  EXPECT_EQ(read("# one,5\n# two,6\n", {.header = false}).feature_names(), (Names{"0=# one", "0=# two"}));
  const CsvEncoding encoding = read("a,b,y\n1,2,3\n").encoding();
  EXPECT_EQ(x_of(read("# b,a\n5,6\n", {.like = encoding})), Tensor::matrix({{6, 5}}));
}

}  // namespace
}  // namespace cornu
