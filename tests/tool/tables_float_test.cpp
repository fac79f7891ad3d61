#include <fmt/format.h>

#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

/// A model that was trained on a table, and knows how it was read.
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
  expect_failure(
      "predict m.safetensors no_header.csv",
      "no_header.csv, line 1: no column has a name that the encoding knows (colour, height); .header = false "
      "takes the columns by their positions");
  write("green.csv", "colour,height\nwhite,1\ngreen,2\n");
  expect_failure(
      "predict m.safetensors green.csv",
      "green.csv, line 3, column \"colour\": \"green\" is not among the texts that the encoding knows: blue, "
      "red, white (.unknown = CsvOptions::other takes it for none of them)");
  EXPECT_EQ(output("predict --classes m.safetensors train.csv"), "rose\ndaisy\nlily, wild\nrose\ndaisy\n");
}

TEST_F(TableTool, ADecimalCommaIsNotTakenForADelimiter) {
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

TEST_F(TableTool, PredictNeverLeavesARowOut) {
  CsvEncoding encoding = model.csv_encoding();
  encoding.missing = CsvMissing::drop_row;
  model.set_csv_encoding(encoding);
  model.save(path("drops.safetensors"));
  write("x.csv", "colour,height\n,1\nred,2\n");
  expect_failure("predict drops.safetensors x.csv",
                 "x.csv, line 2, column \"colour\": the value is missing (\"\"); .missing says what to do then");
}

TEST_F(TableTool, EvaluateScoresATable) {
  write("test.csv", "kind,colour,height\nrose,red,2\ndaisy,red,2.5\n");
  const CsvDataset test = read_csv(path("test.csv"), {.like = model.csv_encoding()});
  const Logs result = model.evaluate(test);
  EXPECT_EQ(result["accuracy"], 0.5);
  EXPECT_EQ(output("evaluate m.safetensors --data test.csv"),
            fmt::format("loss: {:.4f}\naccuracy: 0.5000\n", result["loss"]));
  write("alone.csv", "colour,height\nred,2\n");
  expect_failure("evaluate m.safetensors --data alone.csv", "alone.csv: there is no column of targets, \"kind\"");
  Sequential without{Input{4}, Dense{3, softmax}};
  without.save(path("without.safetensors"));
  expect_failure(
      "evaluate without.safetensors --data test.csv",
      "test.csv: line 2: \"rose\" is no number; a table of texts needs a model that carries the table's encoding "
      "(Sequential::set_csv_encoding)");
}

TEST_F(TableTool, TheEncodingIsShownAndItsClassesGoIntoOnnx) {
  const std::string info = output("info m.safetensors");
  EXPECT_NE(info.find("Input: (4,)\nTable: colour, height -> kind (daisy, lily, wild, rose)\n"), std::string::npos)
      << info;
  EXPECT_NE(output("info --json m.safetensors").find(R"("csv_encoding":{"version":1)"), std::string::npos);
  const std::string lost =
      "  how it is compiled: optimizer, loss, metrics\n"
      "  what its optimizer remembers\n"
      "  how much it was trained on, where its random streams continue\n"
      "  the encoding of its table\n";
  EXPECT_EQ(output("convert m.safetensors w.safetensors"),
            "w.safetensors: left out:\n  the layers (only weights are written)\n" + lost);
  EXPECT_EQ(SafetensorsFile(path("w.safetensors")).metadata().count("cornu.csv_encoding"), 0u) << "weights alone";
#ifdef CORNU_HAS_ONNX
  EXPECT_EQ(output("convert m.safetensors m.onnx"), "m.onnx: left out:\n" + lost);
  EXPECT_NE(output("info m.onnx").find("class_names: [\"daisy\", \"lily, wild\", \"rose\"]"), std::string::npos);
#endif
}

TEST_F(TableTool, TablesOfSpacesAreReadAsNumpyWritesThem) {
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
