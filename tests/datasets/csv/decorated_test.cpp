#include "cornu/datasets/csv/decorated.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cornu/core/random.h"
#include "cornu/tests/support/csv.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::csv::error;
using testing::csv::Names;
using testing::csv::read;
using testing::csv::x_of;
using testing::csv::y_of;

/// A column a with these cells, and a numeric column b, as target or feature.
std::string column(const std::vector<std::string>& cells) {
  std::string text = "a;b\n";
  for (const std::string& cell : cells) text += cell + ";1\n";
  return text;
}

const std::string no_break = "\xC2\xA0", thin = "\xE2\x80\x89";

/// Columns that look numeric, and what the error says of their first texts.
struct Refused {
  std::vector<std::string> cells;
  std::string said;
};
const std::vector<Refused> refused_columns{
    {{"12,34,567", "1,23,456"}, "a number with .thousands = ','"},
    {{"1_000", "2_000"}, "a number with .thousands = '_'"},
    {{"1" + no_break + "000", "2" + no_break + "000"}, "a number with .thousands = ' '"},
    {{"1" + thin + "000", "2" + thin + "000"}, "a number with .thousands = ' '"},
    {{"50%", "60%"}, "a number with .units = {\"%\"}"},
    {{"USD 5", "USD 6"}, "a number with .units = {\"USD\"}"},
    {{"USD5.50", "USD6"}, "a number with .units = {\"USD\"}"},
    {{"-EUR 5", "EUR -6"}, "a number with .units = {\"EUR\"}"},
    {{"Rs.500", "Rs.600"}, "a number with .units = {\"Rs.\"}"},
    {{"5 EUR", "6 EUR"}, "a number with .units = {\"EUR\"}"},
    {{"5" + no_break + "EUR", "6" + no_break + "EUR"}, "a number with .units = {\"EUR\"}"},
    {{"5 kg", "12.5 kg"}, "a number with .units = {\"kg\"}"},
    {{"5kg", "6kg"}, "a number with .units = {\"kg\"}"},
    {{"1,5kg", "6kg"}, "a number with .units = {\"kg\"}"},
    {{"5 km/h", "6 km/h"}, "a number with .units = {\"km/h\"}"},
    {{"5°C", "-6°C"}, "a number with .units = {\"°C\"}"},
    {{"5元", "6元"}, "a number with .units = {\"元\"}"},
    {{"5 square feet", "6 square feet"}, "a number with .units = {\"square feet\"}"},
    {{"3 doors", "5 doors"}, "a number with .units = {\"doors\"}"},
    {{"~5", "~6"}, "a number with .units = {\"~\"}"},
    {{"5kg", "6lb"},
     "one of several numbers with different units (\"kg\", \"lb\"); numbers in one unit, given in .units, are "
     "required"},
    {{"USD 5", "5 EUR"},
     "one of several numbers with different units (\"EUR\", \"USD\"); numbers in one unit, given in .units, are "
     "required"},
    {{"1 year", "2 years", "3 years", "4 years"},
     "one of several numbers with different units (\"year\", \"years\"); numbers in one unit, given in .units, are "
     "required"},
    {{"5kg", "6kg", "7kg", "8kg", "heavy"}, "a number with .units = {\"kg\"}"},
    {{"(5)", "(6)"}, "a negative number in another notation; a leading minus sign is required"},
    {{"($5.50)", "(6)"}, "a negative number in another notation; a leading minus sign is required"},
    {{"5-", "6-"}, "a negative number in another notation; a leading minus sign is required"},
    {{"0x10", "0x1F"}, "a hexadecimal number; a decimal one is required"},
    {{"1/2", "3/4"}, "a fraction or two numbers; a decimal number is required"},
    {{"1e999", "-1e99999"}, "too large for a number"},
    {{"inf", "-inf", "+Inf"}, "not a finite number; list it in .missing_values if it means a missing value"},
    {{"Infinity", "-Infinity"}, "not a finite number; list it in .missing_values if it means a missing value"},
    {{"NAN", "-nan"}, "not a finite number; list it in .missing_values if it means a missing value"},
};

TEST(CsvDecorated, RejectsColumnsThatLookNumeric) {
  for (const auto& [cells, said] : refused_columns) {
    SCOPED_TRACE(column(cells));
    const std::string where = ", column \"a\": ";
    const std::string what =
        "\"" + cells[0] + "\" is " + said + "; list the column in .categorical if its values are names";
    EXPECT_EQ(error(column(cells), {.delimiter = ';'}), "a.csv, line 2" + where + what);
    EXPECT_EQ(error(column(cells), {.target = "a", .delimiter = ';'}), "a.csv, line 2" + where + what) << "as classes";
    const CsvDataset names = read(column(cells), {.categorical = {"a"}, .delimiter = ';'});
    EXPECT_EQ(std::ssize(names.feature_names()), std::ssize(cells)) << "categories if they are declared";

    // Among plain numbers, each text is refused in its line.
    const bool several_units = said.find("different") != std::string::npos;
    const std::string first = error("a;b\n" + cells[0] + ";1\n5;1\n", {.delimiter = ';'});
    const std::string second = error("a;b\n5;1\n" + cells[0] + ";1\n", {.delimiter = ';'});
    EXPECT_EQ(first.substr(0, 14), "a.csv, line 2,") << first;
    EXPECT_EQ(second.substr(0, 14), "a.csv, line 3,") << second;
    if (!several_units) {
      EXPECT_EQ(first, "a.csv, line 2" + where + what);
      EXPECT_EQ(second, "a.csv, line 3" + where + what);
    }
  }
}

TEST(CsvDecorated, CategoriesThatContainNumbersStayCategories) {
  const std::vector<std::vector<std::string>> columns{
      {"A1", "A2", "B1"},
      {"A 1", "A 2"},
      {"room 5", "room 6"},
      {"ID007", "ID008"},
      {"2WD", "4WD", "AWD"},
      {"12b", "14a", "3c", "7a"},
      {"12", "14", "12b"},
      {"1st", "2nd", "3rd"},
      {"1 star", "2 stars"},
      {"3 doors", "5 doors", "3 doors", "5 doors"},
      {"10-20", "20-30"},
      {"<18", ">=18"},
      {"65+", "18-64"},
      {"18+", "12+"},
      {"2024-01-02", "2024-01-03"},
      {"5/2024", "6/2024"},
      {"1/2/2024", "1/3/2024"},
      {"12:30", "13:30"},
      {"16:9", "4:3"},
      {"1.2.3", "1.2.4"},
      {"192.168.0.1", "192.168.0.2"},
      {"+49 30 123456", "+49 30 654321"},
      {"221 Baker Street", "10 Downing Street"},
      {"SW1A 1AA", "EC1A 1BB"},
      {"12-A", "13-B"},
      {"5 or 6", "7 or 8"},
      {"0xyz", "0xab-1"},
      {"red", "inf"},
      {"5kg", "6kg", "heavy"},
      {"x", "(y)", "-", "e5", "%", "$"},
  };
  for (const std::vector<std::string>& cells : columns) {
    SCOPED_TRACE(column(cells));
    if (cells[0] == "12") {  // numbers among texts
      EXPECT_EQ(read(column(cells), {.categorical = {"a"}, .delimiter = ';'}).feature_names().size(), 3u);
      continue;
    }
    Names expected;
    for (const std::string& cell : cells) expected.push_back("a=" + cell);
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    EXPECT_EQ(read(column(cells), {.target = "b", .delimiter = ';'}).feature_names(), expected);
  }
}

TEST(CsvDecorated, ReadsOtherDigitsAndSpaces) {
  for (const std::string& text : {"12.5" + no_break, no_break + "12.5", thin + "12.5", std::string("\" 12.5 \""),
                                  std::string("\xEF\xBB\xBF") + "12.5", std::string("１２．５"), std::string("١٢٫٥"),
                                  std::string("१२.५"), std::string("۱۲٫۵")}) {
    EXPECT_EQ(x_of(read("a;b\n1;1\n" + text + ";1\n", {.delimiter = ';'})), Tensor::matrix({{1}, {12.5}})) << text;
    EXPECT_EQ(x_of(read("a;b\n" + text + ";1\n", {.delimiter = ';', .header = true})), Tensor::matrix({{12.5}}))
        << text;
  }
  EXPECT_EQ(x_of(read("a;b\n－１２;1\n", {.delimiter = ';'})), Tensor::matrix({{-12}}));
  EXPECT_EQ(x_of(read("a;b\n١٬٢٣٤;1\n", {.delimiter = ';', .thousands = ','})), Tensor::matrix({{1234}}));
  EXPECT_EQ(x_of(read("a;b\n5 ％;1\n", {.delimiter = ';', .units = {"%"}})), Tensor::matrix({{5}}));
  EXPECT_EQ(read("a;b\nred" + no_break + ";1\nred;1\n", {.delimiter = ';'}).feature_names(), Names{"a=red"});
}

TEST(CsvDecorated, IgnoresUnitsBeforeAndAfterANumber) {
  const CsvOptions options{.delimiter = ';', .units = {"USD", "US$", "kg", "square feet"}};
  EXPECT_EQ(x_of(read(column({"USD 5", "-US$6.50 USD", "7kg", "8 square feet", "9"}), options)),
            Tensor::matrix({{5}, {-6.5}, {7}, {8}, {9}}));
}

/// Adding the units that the errors name, one by one, makes every column numeric.
TEST(CsvDecorated, TheSuggestedOptionReadsTheColumn) {
  Rng rng(11);
  const std::vector<std::pair<std::string, std::string>> around{
      {"", "kg"}, {"", " mg/l"}, {"CHF ", ""}, {"R$", ""}, {"", " °C"}, {"~", ""}, {"", "元"}, {"$", " USD"}};
  for (int round = 0; round < 200; ++round) {
    const auto& [before, after] = around[static_cast<std::size_t>(rng.below(std::ssize(around)))];
    std::vector<std::string> cells;
    Tensor expected({6, 1});
    for (Index row = 0; row < 6; ++row) {
      const Index whole = rng.below(1000), quarters = rng.below(4);
      const bool negative = rng.below(3) == 0;
      expected[row] = (static_cast<Real>(whole) + static_cast<Real>(quarters) / 4) * (negative ? -1 : 1);
      const std::string fraction = std::array{"", ".25", ".5", ".75"}[static_cast<std::size_t>(quarters)];
      cells.push_back((negative ? "-" : "") + before + std::to_string(whole) + fraction + after);
    }
    CsvOptions options{.delimiter = ';'};
    for (int tries = 0; tries < 2; ++tries) {
      try {
        read(column(cells), options);
        break;
      } catch (const FormatError& e) {
        const std::string said = e.what(), option = ".units = {";
        const std::size_t begin = said.find(option);
        ASSERT_NE(begin, std::string::npos) << said;
        options.units.clear();
        std::string list = said.substr(begin + option.size());
        list.resize(list.find('}'));
        for (std::size_t at = 0; (at = list.find('"')) != std::string::npos;) {
          const std::size_t end = list.find('"', at + 1);
          options.units.push_back(list.substr(at + 1, end - at - 1));
          list.erase(0, end + 1);
        }
      }
    }
    EXPECT_EQ(x_of(read(column(cells), options)), expected) << column(cells);
  }
}

}  // namespace
}  // namespace cornu
