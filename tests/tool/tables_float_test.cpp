#include <fmt/format.h>

#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

/// A model trained on a table, with the table's encoding.
class TableTool : public ToolTest {
 protected:
  TableTool() {
    write("train.csv",
          "id,colour,height,kind\n1,red,2.5,rose\n2,white,1,daisy\n3,blue,7,\"lily, "
          "wild\"\n4,red,3,rose\n5,white,2,daisy\n");
    const CsvDataset train = read_csv(path("train.csv"), {.target = "kind", .ignored = {"id"}});
    model = Sequential({Input{4}, Dense{6, tanh}, Dense{3, softmax}}, {.name = "flowers", .seed = 4});
    model.compile(
        {.optimizer = Adam{.learning_rate = 0.05}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
    model.fit(train, {.epochs = 200, .verbose = Verbose::silent});
    model.set_csv_encoding(train.encoding());
    model.save(path("m.safetensors"));
  }
  std::string expected(const Tensor& outputs) const {
    std::string text;
    for (Index i = 0; i < outputs.shape()[0]; ++i) {
      Index best = 0;
      for (Index c = 1; c < 3; ++c) best = outputs.at({i, c}) > outputs.at({i, best}) ? c : best;
      text += fmt::format("{}\t{:.4f}\n", model.csv_encoding().class_names()[static_cast<std::size_t>(best)],
                          outputs.at({i, best}));
    }
    return text;
  }
  Sequential model;
};

TEST_F(TableTool, PredictReadsATableAsTheTrainingTableWasRead) {
  const std::string rows = expected(model.predict(Tensor::matrix({{0, 0, 1, 1.5}, {0, 1, 0, 2.5}})));
  EXPECT_EQ(rows.substr(0, 6), "daisy\t");
  write("turned.csv", "height,kind,note,colour\n1.5,daisy,x,white\n2.5,?,y,red\n");
  write("alone.csv", "colour,height\nwhite,1.5\nred,2.5\n");
  write("semicolons.csv", "colour;height\nwhite;1.5\nred;2.5\n");
  write("tabs.tsv", "height\tcolour\n1.5\twhite\n2.5\tred\n");
  for (const char* const file : {"turned.csv", "alone.csv", "semicolons.csv", "tabs.tsv"}) {
    EXPECT_EQ(output(fmt::format("predict m.safetensors {}", file)), rows);
    EXPECT_EQ(shell(fmt::format("\"$cornu\" predict m.safetensors - <{}", file)).out, rows);
  }
  write("no_header.csv", "8,white,1.5\n9,red,2.5\n");
  EXPECT_EQ(output("predict --no-header m.safetensors no_header.csv"), rows);
  expect_failure("predict m.safetensors no_header.csv",
                 "no_header.csv, line 1: no column has a name of the encoding (colour, height); --no-header "
                 "finds columns by position");
  write("green.csv", "colour,height\nwhite,1\ngreen,2\n");
  expect_failure("predict m.safetensors green.csv",
                 "green.csv, line 3, column \"colour\": \"green\" is not among the categories of the encoding: blue, "
                 "red, white (--unknown other allows it)");
  EXPECT_EQ(output("predict --classes m.safetensors train.csv"), "rose\ndaisy\nlily, wild\nrose\ndaisy\n");
}

TEST_F(TableTool, ADecimalCommaIsNotADelimiter) {
  write("halves.csv", "x;y\n1,5;3\n2;4\n0,5;1\n");
  const CsvDataset train = read_csv(path("halves.csv"), {.target = "y", .delimiter = ';', .decimal = ','});
  Sequential line({Input{1}, Dense{1}}, {.seed = 1});
  line.set_csv_encoding(train.encoding());
  line.save(path("line.safetensors"));
  const Tensor y = line.predict(Tensor::matrix({{1.5}, {5.5}}));
  write("alone", "1,5\n5,5\n");
  EXPECT_EQ(output("predict --all --no-header line.safetensors alone"), fmt::format("{}\n{}\n", y[0], y[1]));
  write("named", "x\n1,5\n5,5\n");
  EXPECT_EQ(output("predict --all line.safetensors named"), fmt::format("{}\n{}\n", y[0], y[1]));
}

TEST_F(TableTool, PredictNeverSkipsARow) {
  CsvEncoding encoding = model.csv_encoding();
  encoding.missing = CsvMissing::drop_row;
  model.set_csv_encoding(encoding);
  model.save(path("drops.safetensors"));
  write("x.csv", "colour,height\n,1\nred,2\n");
  expect_failure("predict drops.safetensors x.csv",
                 "x.csv, line 2, column \"colour\": the value is missing (\"\"); set --missing to allow it");
}

/// Each error names the option that makes the table readable.
TEST_F(TableTool, OptionsReadTablesInOtherFormats) {
  const std::string rows = expected(model.predict(Tensor::matrix({{0, 0, 1, 1500.5}, {0, 1, 0, 2.5}})));
  struct Case {
    std::string options, table, error;
  };
  const std::string where = "x.csv, line 2, column \"height\": ";
  for (const auto& [options, table, error] :
       std::vector<Case>{{"--decimal ,", "colour;height\nwhite;1500,5\nred;2,5\n",
                          where + "\"1500,5\" is a number with --decimal ','"},
                         {"--thousands ,", "colour;height\nwhite;1,500.5\nred;2.5\n",
                          where + "\"1,500.5\" is a number with --thousands ','"},
                         {"--units '$,kg'", "colour,height\nwhite,$1500.5\nred,2.5 kg\n",
                          where + "\"$1500.5\" is a number with --units '$'"},
                         {"--units kg", "colour,height\nwhite,1500.5kg\nred,2.5kg\n",
                          where + "\"1500.5kg\" is a number with --units 'kg'"},
                         {"--delimiter '|'", "colour|height\nwhite|1500.5\nred|2.5\n",
                          "x.csv, line 1: no column has a name of the encoding (colour, height); is the delimiter '|'? "
                          "(--delimiter); --no-header finds columns by position"},
                         {"--no-header", "1,white,1500.5\n2,red,2.5\n",
                          "x.csv, line 1: no column has a name of the encoding (colour, height); --no-header finds "
                          "columns by position"}}) {
    write("x.csv", table);
    expect_failure("predict m.safetensors x.csv", error);
    EXPECT_EQ(output("predict m.safetensors x.csv " + options), rows) << options;
    EXPECT_EQ(shell("\"$cornu\" predict m.safetensors - " + options + " <x.csv").out, rows) << options;
  }
  write("x.csv", "colour,height\nwhite,\ngreen,2\n");
  const Tensor filled = model.predict(Tensor::matrix({{0, 0, 1, 3.1}, {0, 0, 0, 2}}));
  EXPECT_EQ(output("predict m.safetensors x.csv --missing fill_in --unknown other"), expected(filled));
  write("x.csv", "colour,height\nwhite,inf\n");
  expect_failure("predict m.safetensors x.csv", where + "\"inf\" is not a finite number");
  for (const char* const wrong : {"--delimiter ab", "--decimal ''", "--missing drop_row", "--unknown any"}) {
    EXPECT_EQ(cornu(fmt::format("predict m.safetensors x.csv {}", wrong)).status, 2) << wrong;
  }
}

TEST_F(TableTool, OptionsApplyToTablesOfNumbers) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.save(path("line.safetensors"));
  write("plain", "1500.5,2\n-3,0.5\n");
  const std::string rows = output("predict line.safetensors plain");
  write("german", "1.500,5;2 %\n-3;0,5\n");
  expect_failure("predict line.safetensors german",
                 "german: line 1: \"5;2 %\" is not a number; is the delimiter ';'? (--delimiter)");
  expect_failure("predict line.safetensors german --delimiter ';'",
                 "german: line 1: \"1.500,5\" is not a number; it is a number with --decimal ',', --thousands '.'");
  expect_failure("predict line.safetensors german --decimal , --thousands .",
                 "german: line 1: \"2 %\" is not a number; it is a number with --units '%'");
  EXPECT_EQ(output("predict line.safetensors german --decimal , --thousands . --units %"), rows);
  write("pipes", "1500.5|2\n-3|0.5\n");
  EXPECT_EQ(output("predict line.safetensors pipes --delimiter '|'"), rows);
  write("names", "a,b\n1500.5,2\n-3,0.5\n");
  EXPECT_EQ(output("predict line.safetensors names"), rows);
  EXPECT_EQ(cornu("predict line.safetensors names --no-header").status, 1) << "the names are not a sample";
  for (const char* const number : {"1e999", "inf", "nan"}) {
    write("infinite", fmt::format("1,2\n3,{}\n", number));
    EXPECT_EQ(cornu("predict line.safetensors infinite").err.substr(0, 24), "cornu: infinite: line 2:") << number;
  }
  expect_failure("predict line.safetensors plain --unknown other",
                 "plain: --missing and --unknown need a model that carries the table's encoding", 2);
}

TEST_F(TableTool, OptionsOfTablesAreRefusedForOtherFiles) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.save(path("line.safetensors"));
  write_npy(path("x.npy"), Tensor::matrix({{1, 2}}));
  write_idx(path("x.idx"), IdxArray{.dimensions{1, 2}, .data = std::vector<std::uint8_t>{1, 2}});
  write("x.pgm", "P2 2 1 255\n1 2\n");
  write_npy(path("y.npy"), Tensor::vector({1}));
  for (const char* const file : {"x.npy", "x.idx", "x.pgm"}) {
    for (const char* const option : {"--no-header", "--delimiter ,", "--decimal ,", "--thousands ,", "--units kg",
                                     "--missing fill_in", "--unknown other"}) {
      const Result result = cornu(fmt::format("predict line.safetensors {} {}", file, option));
      EXPECT_EQ(result.status, 2) << file << option;
      EXPECT_NE(result.err.find(" applies only to tables, this is "), std::string::npos) << result.err;
    }
  }
  expect_failure("predict line.safetensors x.npy --no-header",
                 "x.npy: --no-header applies only to tables, this is a .npy array", 2);
  expect_failure("evaluate line.safetensors --data x.npy --no-header",
                 "x.npy: --no-header applies only to tables, this is a .npy array", 2);
  expect_failure("evaluate line.safetensors --mnist . --no-header", "evaluate: --no-header requires --data", 2);
}

/// Tables are recognised by content, whatever their names.
TEST_F(TableTool, ControlCharactersAndOtherScriptsAreRead) {
  const std::string rows = expected(model.predict(Tensor::matrix({{0, 0, 1, 1.5}})));
  for (const std::string& table :
       {std::string("colour,height,note\nwhite,1.5,\x1b[1mbold\x1b[0m\n"),
        std::string("colour,height\nwhite,1.5\n\x1a\n"),
        std::string("colour,height,замечание\nwhite,1.5,очень красивая маленькая ромашка у дороги\n")}) {
    write("table", table);
    const bool has_end_mark = table.find('\x1a') != std::string::npos;
    if (has_end_mark) {
      EXPECT_NE(cornu("predict m.safetensors table").err.find("line 3"), std::string::npos);
      continue;
    }
    EXPECT_EQ(output("predict m.safetensors table"), rows);
    EXPECT_EQ(shell("\"$cornu\" predict m.safetensors - <table").out, rows);
    EXPECT_EQ(shell("cat table | \"$cornu\" predict m.safetensors -").out, rows);
  }
}

TEST_F(TableTool, EvaluateScoresATable) {
  write("test.csv", "kind,colour,height\nrose,red,2\ndaisy,red,2.5\n");
  const CsvDataset test = read_csv(path("test.csv"), {.like = model.csv_encoding()});
  const Logs result = model.evaluate(test);
  EXPECT_EQ(result["accuracy"], 0.5);
  EXPECT_EQ(output("evaluate m.safetensors --data test.csv"),
            fmt::format("loss: {:.4f}\naccuracy: 0.5000\n", result["loss"]));
  write("alone.csv", "colour,height\nred,2\n");
  expect_failure("evaluate m.safetensors --data alone.csv", "alone.csv: no target column, \"kind\"");
  Sequential without{Input{4}, Dense{3, softmax}};
  without.save(path("without.safetensors"));
  expect_failure("evaluate without.safetensors --data test.csv",
                 "test.csv: line 2: \"rose\" is not a number; a table of texts needs a model that carries the "
                 "table's encoding "
                 "(Sequential::set_csv_encoding)");
}

TEST_F(TableTool, ColumnNamesThatAreNumbersAreNotASample) {
  Sequential{Input{3}, Dense{1}}.save(path("three.safetensors"));
  const std::string samples = "1.5,2.5,3.5\n0.5,0.5,0.2\n";
  write("samples", samples);
  const std::string expected = output("predict three.safetensors samples");
  for (const std::string row : {"0,1,2\n", "2020,2021,2022\n"}) {
    write("x", row + samples);
    const std::string first = row.substr(0, row.find(','));
    expect_failure("predict three.safetensors x",
                   "x: the first row, " + first + ", ..., may be names or a sample; remove it, or pass --no-header");
    EXPECT_TRUE(output("predict three.safetensors x --no-header").ends_with(expected));
  }
  for (const std::string names : {"\"0\",\"1\",\"2\"\n", "a,b,c\n"}) {
    write("x", names + samples);
    EXPECT_EQ(output("predict three.safetensors x"), expected) << names;
  }
  write("x", "3,1,2\n" + samples);
  EXPECT_TRUE(output("predict three.safetensors x").ends_with(expected));
}

TEST_F(TableTool, TheEncodingIsShownAndItsClassNamesAreWrittenToOnnx) {
  const std::string info = output("info m.safetensors");
  EXPECT_NE(info.find("Input: (4,)\nTable: colour, height -> kind (daisy, lily, wild, rose)\n"), std::string::npos)
      << info;
  EXPECT_NE(output("info --json m.safetensors").find(R"("csv_encoding":{"version":1)"), std::string::npos);
  const std::string lost =
      "  its compile settings: optimizer, loss, metrics\n"
      "  the state of its optimizer\n"
      "  its training progress and the state of its random streams\n"
      "  the encoding of its training table\n";
  EXPECT_EQ(output("convert m.safetensors w.safetensors"),
            "w.safetensors: left out:\n  the layers (only weights are written)\n" + lost);
  EXPECT_EQ(SafetensorsFile(path("w.safetensors")).metadata().count("cornu.csv_encoding"), 0u) << "weights alone";
#ifdef CORNU_HAS_ONNX
  EXPECT_EQ(output("convert m.safetensors m.onnx"), "m.onnx: left out:\n" + lost);
  EXPECT_NE(output("info m.onnx").find("class_names: [\"daisy\", \"lily, wild\", \"rose\"]"), std::string::npos);
#endif
}

TEST_F(TableTool, TablesWithSpacesAreReadAsNumpyWritesThem) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.save(path("line.safetensors"));
  write("commas", "1.5,2\n-3,0.5\n");
  for (const char* const text : {"1.5 2\n-3 .5\n", " 1.500e+00   2.0 \n-3 \t .5\n"}) {
    write("spaces", text);
    EXPECT_EQ(output("predict line.safetensors spaces"), output("predict line.safetensors commas"));
  }
}

}  // namespace
}  // namespace cornu::tool
