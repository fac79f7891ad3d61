#include <fmt/format.h>

#include "cornu/formats/json.h"
#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

using InfoTool = ToolTest;

constexpr const char* training = R"(Input: (4, 6)
Optimizer: SGD(learning_rate=0.5, momentum=0.5, nesterov=false, weight_decay=0.0, clipnorm=0.0, clipvalue=0.0, global_clipnorm=0.0)
Loss: SparseCategoricalCrossentropy(from_logits=false, label_smoothing=0.0)
Metrics: Accuracy()
Training state: after 3 steps
)";

TEST_F(InfoTool, ShowsTheSummaryAndTheTrainingOfAModel) {
  const SmallModel small;
  small.model.save(folder / "m.safetensors");
  const std::string table = to_string(Sequential::load(folder / "m.safetensors", {.compile = false}));
  EXPECT_EQ(output("info m.safetensors"), "m.safetensors: Cornu model, format version 1\n\n" + table + training);
}

TEST_F(InfoTool, SaysWhatAModelFileLacks) {
  Sequential model({Input{2}, Dense{1}}, {});
  model.compile({.optimizer = Adam{}, .loss = MeanSquaredError{}});
  model.save(folder / "new.safetensors");
  model.save(folder / "alone.safetensors", {.include_optimizer = false});
  const std::string text = output("info new.safetensors");
  EXPECT_NE(text.find("\nLoss: MeanSquaredError()\nMetrics: none\n"
                      "Training state: none (the optimizer made no step, or its state was not saved)\n"),
            std::string::npos)
      << text;
  EXPECT_TRUE(output("info alone.safetensors").ends_with("Input: (2,)\nNot compiled\n"));
}

TEST_F(InfoTool, ListsWeightedMetrics) {
  Sequential model({Input{2}, Dense{1}}, {});
  model.compile(
      {.optimizer = Adam{}, .loss = MeanSquaredError{}, .weighted_metrics = {Accuracy{}, MeanSquaredError{}}});
  model.save(folder / "m.safetensors");
  const std::string text = output("info m.safetensors");
  EXPECT_NE(text.find("\nMetrics: none\nWeighted metrics: Accuracy(), MeanSquaredError()\nTraining state: none"),
            std::string::npos)
      << text;
}

/// A layer type that only this program knows.
struct Halved {
  Var forward(Var x) const { return x * 0.5; }
};

TEST_F(InfoTool, ShowsTheWeightsOfAModelWithCustomLayers) {
  register_layer<Halved>();
  Sequential model({Input{2}, Dense{1}, Halved{}}, {});
  model.save(folder / "m.safetensors");
  EXPECT_EQ(
      output("info m.safetensors"),
      "m.safetensors: Cornu model, format version 1\n\n"
      "Name          Type  Shape   Bytes\n"
      "dense/bias    F32   (1,)    4\n"
      "dense/kernel  F32   (2, 1)  8\n"
      "2 arrays, 3 elements, 12 bytes\n"
      "The model cannot be loaded: m.safetensors: layers: halved: there is no layer called \"Halved\" here; if it is "
      "your own, register it before loading: register_layer<Halved>()\n"
      "Input: (2,)\nNot compiled\n");
  EXPECT_EQ(parse_json(output("info --json m.safetensors")).at("format"), Json("cornu"));
}

TEST_F(InfoTool, ShowsACustomLoss) {
  SmallModel().model.save(folder / "m.safetensors");
  const SafetensorsFile file(folder / "m.safetensors");
  std::string text = file.metadata().at("cornu.model");
  const std::string loss = "SparseCategoricalCrossentropy";
  text.replace(text.find(loss), loss.size(), "Mine");
  write_safetensors(folder / "mine.safetensors", file.tensors(), {{"cornu.model", text}});
  EXPECT_NE(output("info mine.safetensors").find("\nLoss: Mine(from_logits=false, label_smoothing=0.0)\n"),
            std::string::npos);
}

TEST_F(InfoTool, RefusesABrokenModel) {
  SmallModel().model.save(folder / "m.safetensors");
  const SafetensorsFile file(folder / "m.safetensors");
  const std::string whole = file.metadata().at("cornu.model");
  const auto expect = [&](const std::string& description, const std::string& error) {
    write_safetensors(folder / "b.safetensors", file.tensors(), {{"cornu.model", description}});
    expect_failure("info b.safetensors", "b.safetensors: " + error);
    expect_failure("info --json b.safetensors", "b.safetensors: " + error);
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    return text.replace(text.find(from), from.size(), to);
  };
  expect("{}", "there is no \"version\" in an object");
  expect("[1]", "there is no \"version\" in a list");
  expect(replaced("\"version\":1", "\"version\":2"), "version 2 of the format; this program knows those up to 1");
  expect(replaced("\"units\":5", "\"units\":0"), "dense: Dense: units is 0; it must be positive");
  expect(replaced("\"loss\":", "\"lost\":"), "there is no \"loss\" in an object");
  expect(replaced("\"momentum\":0.5", "\"momentum\":\"much\""),
         "optimizer: SGD: momentum: \"much\" where a number is required");
  expect(replaced("\"from_logits\":false", "\"from_logits\":7"),
         "loss: SparseCategoricalCrossentropy: from_logits: a whole number where true or false is required");
  expect(replaced("\"metrics\":[", "\"metrics\":[5,"), "metrics: there is no \"class_name\" in a whole number");
  expect(replaced("\"iterations\":3", "\"iterations\":[3]"), "iterations: a list where a whole number is required");
  write_safetensors(folder / "b.safetensors", file.tensors(), {{"cornu.model", "{"}});
  EXPECT_TRUE(cornu("info b.safetensors").err.starts_with("cornu: b.safetensors: JSON: parse error at line 1"));
}

TEST_F(InfoTool, ShowsTensorsAndMetadataOfAnySafetensorsFile) {
  const std::vector<std::uint16_t> halves{1, 2, 3};
  const std::vector<std::uint8_t> truths{1};
  write_safetensors(folder / "w.safetensors",
                    std::array<RawTensor, 2>{{{"half", Dtype::bf16, {3, 1}, std::as_bytes(std::span(halves))},
                                              {"is\x1b[31m", Dtype::boolean, {}, std::as_bytes(std::span(truths))}}},
                    {{"format", "pt"}});
  EXPECT_EQ(output("info w.safetensors"),
            "w.safetensors: safetensors\n"
            "Metadata:\n"
            "  format: pt\n"
            "\n"
            "Name          Type  Shape   Bytes\n"
            "half          BF16  (3, 1)  6\n"
            "is\\u001b[31m  BOOL  ()      1\n"
            "2 arrays, 4 elements, 7 bytes\n");
  EXPECT_EQ(output("info --json w.safetensors"), R"({"format":"safetensors","metadata":{"format":"pt"},"tensors":[)"
                                                 R"({"name":"half","type":"BF16","shape":[3,1],"bytes":6},)"
                                                 R"({"name":"is\u001b[31m","type":"BOOL","shape":[],"bytes":1}]})"
                                                 "\n");
}

TEST_F(InfoTool, EscapesControlCharactersInNames) {
  const std::string name = "\x7f, \xc2\x9b[31m, \xc2\xa9";  // DEL, CSI as one character, and a printable one
  write_safetensors(folder / "w.safetensors", std::array<RawTensor, 1>{{{name, Dtype::f32, {0}, {}}}}, {});
  const std::string shown = "\\u007f, \\u009b[31m, \xc2\xa9", json = output("info --json w.safetensors");
  EXPECT_NE(output("info w.safetensors").find('\n' + shown + ' '), std::string::npos);
  EXPECT_NE(json.find('"' + shown + '"'), std::string::npos) << json;
  EXPECT_EQ(parse_json(json).at("tensors").as<Json::Array>()->front().at("name"), Json(name));
}

TEST_F(InfoTool, ShowsArraysOfNumPyAndIdx) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  write_npy(folder / "a.npy", Tensor(Shape{2, 3}));
  const std::vector<std::int64_t> whole{1, 2};
  const std::vector<RawTensor> two{{"x", Dtype::i64, {2}, std::as_bytes(std::span(whole))},
                                   {"y", Dtype::i64, {1, 2}, std::as_bytes(std::span(whole))}};
  write_npz(folder / "b.npz", two);
  write_idx(path("c-ubyte.gz"), {.dimensions{2, 1}, .data = std::vector<std::int16_t>{1, 2}});
  EXPECT_EQ(output("info a.npy"),
            "a.npy: npy\n\nName  Type  Shape   Bytes\na     F32   (2, 3)  24\n1 array, 6 elements, 24 bytes\n");
  EXPECT_EQ(output("info b.npz"),
            "b.npz: npz\n\nName  Type  Shape   Bytes\nx     I64   (2,)    16\ny     I64   (1, 2)  16\n"
            "2 arrays, 4 elements, 32 bytes\n");
  EXPECT_EQ(output("info c-ubyte.gz --json"),
            R"({"format":"idx","tensors":[{"name":"c-ubyte","type":"I16","shape":[2,1],"bytes":4}]})"
            "\n");
}

TEST_F(InfoTool, PrintsEverythingAboutAModelAsJson) {
  SmallModel().model.save(folder / "m.safetensors");
  const std::string text = output("info m.safetensors --json");
  const Json json = parse_json(text);
  EXPECT_EQ(json.at("format"), Json("cornu"));
  const auto& layers = *json.at("model").at("config").at("layers").as<Json::Array>();
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[1].at("config").at("units"), Json(std::int64_t{5}));
  EXPECT_EQ(json.at("model").at("compile").at("loss").at("class_name"), Json("SparseCategoricalCrossentropy"));
  EXPECT_EQ(json.at("tensors").as<Json::Array>()->size(), 8u);
}

#ifdef CORNU_HAS_ONNX
TEST_F(InfoTool, ShowsAnOnnxModel) {
  SmallModel().model.save(folder / "m.safetensors");
  output("convert m.safetensors m.onnx --class-names 'a,b,c c'");
  EXPECT_EQ(output("info m.onnx"),
            "m.onnx: ONNX, IR version 8, opset 17, by cornu\n"
            "Inputs:\n"
            "  input  float  (None, 4, 6)\n"
            "Outputs:\n"
            "  output  float  (None, 3)\n"
            "Batch: any size\n"
            "Metadata:\n"
            "  class_names: [\"a\", \"b\", \"c c\"]\n"
            "Nodes:\n"
            "  Flatten: 1\n  Gemm: 2\n  Identity: 1\n  Relu: 1\n  Softmax: 1\n"
            "Initializers: 4\n"
            "  dense/kernel    float  (24, 5)\n"
            "  dense/bias      float  (5,)\n"
            "  dense_1/kernel  float  (5, 3)\n"
            "  dense_1/bias    float  (3,)\n"
            "Parameters: 143\n"
            "Multiply-adds, with 1 for each open dimension: 135\n");
  const Json json = parse_json(output("info m.onnx --json"));
  EXPECT_EQ(json.at("format"), Json("onnx"));
  EXPECT_EQ(json.at("opsets").at("ai.onnx"), Json(std::int64_t{17}));
  EXPECT_EQ(json.at("nodes").at("Gemm"), Json(std::int64_t{2}));
}
#endif

TEST_F(InfoTool, RefusesFilesWithoutArrays) {
  write("x.csv", "1,2\n");
  write("noise", "\x01\x02\x03\x04");
  write("empty", "");
  write("cut.safetensors", "12");
  write("cut.npz", "P");
  expect_failure("info x.csv", "x.csv: a table as text (CSV), which contains no arrays");
  expect_failure(
      "info noise",
      "noise: neither safetensors nor PyTorch, ONNX, .npy, .npz, IDX, PNG, PGM or a table of numbers (it begins with "
      "01 02 03 04)");
  expect_failure("info empty", "empty: this is an empty file; was it written or downloaded completely?");
  EXPECT_EQ(cornu("info cut.safetensors").status, 1);
  EXPECT_EQ(cornu("info cut.npz").status, 1);
  expect_failure("info there/is/none", "there/is/none: cannot be opened (No such file or directory)");
}

}  // namespace
}  // namespace cornu::tool
