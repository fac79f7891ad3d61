// Files written by other programs, and files whose names do not match their content.
#include <fmt/format.h>

#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/protobuf.h"
#include "cornu/tests/tool/support.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/option_names.h"

namespace cornu::tool {
namespace {

class ForeignFiles : public ToolTest {
 protected:
  ForeignFiles() { small.model.save(folder / "m.safetensors"); }

  void copy_fixture(const std::string& name) const {
    std::filesystem::copy_file(testing::source_path("tests/tool/fixtures/" + name), folder / name);
  }

  SmallModel small;
};

// A sanitized process takes half a second: there, each kind is given to one command in turn.
#ifdef CORNU_SANITIZED
constexpr std::size_t commands_between = 6;
#else
constexpr std::size_t commands_between = 1;
#endif

TEST_F(ForeignFiles, AreNamedByTheirKindInEveryCommand) {
  std::size_t file = 0;
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind <= FileKind::pgm || kind == FileKind::text) continue;  // these kinds are read
    write("x.bin", bytes);
    std::size_t turn = file++;
    const std::string text =
        with_option_names(fmt::format("x.bin: this is {}; {}", name_of(kind), detail::remedy_for(kind)));
    const std::string unpacked = "x.bin: this is a JSON text, compressed by gzip; Cornu reads no arrays";
    for (const char* const command :
         {"info x.bin", "convert x.bin y.npz", "predict m.safetensors x.bin", "predict x.bin x.bin --all",
          "evaluate m.safetensors --data x.bin", "convert m.safetensors y.safetensors --model x.bin"}) {
      if (turn++ % commands_between != 0) continue;
      const Result result = cornu(command);
      EXPECT_EQ(result.status, 1) << command;
      EXPECT_EQ(result.out, "") << command;
      const bool is_unpacked = kind == FileKind::gzip && result.err.find(unpacked) != std::string::npos;
      const bool is_of_keras = kind == FileKind::keras || kind == FileKind::hdf5;  // damaged, for keras::load
      EXPECT_TRUE(is_unpacked || (is_of_keras && result.err.find("x.bin: ") != std::string::npos) ||
                  result.err.find(text) != std::string::npos)
          << command << ": " << result.err;
      EXPECT_EQ(result.err.find("the header has"), std::string::npos) << result.err;
    }
  }
}

/// Every kind of file, complete or damaged, in every place of every command: an error names the file, and no function,
/// type or layer of the library (ToolTest::cornu).
TEST_F(ForeignFiles, InErrorsNothingOfTheLibraryIsNamed) {
  small.model.save_weights(folder / "weights.safetensors");
  write_npy(folder / "x.npy", Tensor(Shape{2, 4, 6}));
  write_npy(folder / "odd.npy", Tensor(Shape{2, 5}));
  std::vector<std::string> files{"m.safetensors", "weights.safetensors", "x.npy", "odd.npy", "none", "a_folder"};
  std::filesystem::create_directory(folder / "a_folder");
#ifdef CORNU_HAS_ONNX
  output("convert m.safetensors m.onnx");
  write("no.onnx", testing::unsupported_onnx_model());
  files.insert(files.end(), {"m.onnx", "no.onnx"});
#endif
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    files.push_back(fmt::format("f{}.bin", files.size()));
    write(files.back(), bytes);
    if (bytes.size() < 12) continue;
    files.push_back(fmt::format("f{}.bin", files.size()));
    write(files.back(), bytes.substr(0, bytes.size() - 5));
  }
  for (const std::string whole : {"m.safetensors", "x.npy"}) {
    files.push_back("cut_" + whole);
    write(files.back(), read(whole).substr(0, read(whole).size() / 2));
  }
  std::size_t turn = 0;
  for (const std::string& file : files) {
    for (const char* const command :
         {"info {}", "convert {} y.npz", "convert {} y.npy", "convert {} y.safetensors", "convert {} y.onnx",
          "convert {} y.h", "convert {} y.pt", "convert {} y.safetensors --to keras",
          "convert {} y.safetensors --model m.safetensors", "convert weights.safetensors y.safetensors --model {}",
          "predict {} x.npy", "predict m.safetensors {}", "predict {} x.npy --output-name y", "run {} -i x.npy",
          "evaluate {} --data x.npy", "evaluate m.safetensors --data {}", "evaluate m.safetensors --mnist {}"}) {
      if (++turn % (commands_between == 1 ? 9 : 60) != 0) continue;  // 17 commands: each file is given to others
      const std::string arguments = fmt::format(fmt::runtime(command), file);
      const Result result = cornu(arguments);
      EXPECT_TRUE(result.status == 0 || result.status == 1 || result.status == 2) << arguments << ": " << result.err;
      if (result.status == 0) continue;
      EXPECT_EQ(result.err.find("cornu: "), 0U) << arguments << ": " << result.err;
      const bool names_it = result.err.find(file) != std::string::npos || result.err.find("x.npy") != std::string::npos;
      EXPECT_TRUE(names_it) << arguments << ": " << result.err;
    }
  }
}

TEST_F(ForeignFiles, AreRecognisedByContentWhateverTheirNames) {
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind == FileKind::safetensors || kind == FileKind::gzip) continue;
#ifdef CORNU_HAS_KERAS
    if (kind == FileKind::keras || kind == FileKind::hdf5) continue;  // these kinds are read
#endif
    write("x.safetensors", bytes);
    const Result result = cornu("predict x.safetensors x.safetensors");
    EXPECT_EQ(result.status, 1) << name_of(kind);
    if (kind == FileKind::pytorch) {
      EXPECT_NE(result.err.find("weights without a model"), std::string::npos) << result.err;
    } else if (kind != FileKind::onnx) {
      EXPECT_NE(result.err.find(name_of(kind)), std::string::npos) << result.err;
    }
    EXPECT_EQ(result.err.find("the header has"), std::string::npos) << result.err;
  }
}

TEST_F(ForeignFiles, ATextArrayInAnArchiveIsSkipped) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  copy_fixture("npz_names.npz");
  const std::string info = output("info npz_names.npz");
  EXPECT_NE(info.find("\nx     F32   (2, 3)  24\n"), std::string::npos) << info;
  EXPECT_NE(info.find("Not read: feature_names: descr '<U"), std::string::npos) << info;
  EXPECT_NE(output("info npz_names.npz --json").find(R"("unread":[{"name":"feature_names","type":"<U)"),
            std::string::npos);
  const std::string said = output("convert npz_names.npz x.safetensors");
  EXPECT_TRUE(said.starts_with("x.safetensors: left out:\n  \"feature_names\" (descr '<U")) << said;
  EXPECT_EQ(SafetensorsFile(folder / "x.safetensors").tensor("x").shape(), Shape({2, 3}));
  EXPECT_EQ(SafetensorsFile(folder / "x.safetensors").tensors().size(), 1U);
}

TEST_F(ForeignFiles, NarrowFloatsBecomeF32ForNumPy) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  copy_fixture("st_bf16v.safetensors");
  output("convert st_bf16v.safetensors x.npz");
  output("convert st_bf16v.safetensors x.npy");
  const SafetensorsFile from(folder / "st_bf16v.safetensors");
  const NpzFile to(folder / "x.npz");
  ASSERT_EQ(to.arrays().size(), 1U);
  EXPECT_EQ(to.arrays()[0].dtype, Dtype::f32);
  const Tensor expected = from.tensor(from.tensors()[0].name);  // with a NaN
  const auto bytes = std::as_bytes(std::span(expected.data(), static_cast<std::size_t>(expected.size())));
  EXPECT_TRUE(std::ranges::equal(to.arrays()[0].bytes, bytes));
  EXPECT_TRUE(std::ranges::equal(NpyFile(folder / "x.npy").array().bytes, bytes));
}

TEST_F(ForeignFiles, ConvertListsWhatItLeavesOut) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  const std::string layers = "  the layers (only weights are written)\n";
  const std::string training =
      "  its compile settings: optimizer, loss, metrics\n"
      "  the state of its optimizer\n";
  const std::string seen = "  its training progress and the state of its random streams\n";
  const std::string all = ": left out:\n" + layers + training + seen;
  EXPECT_EQ(output("convert m.safetensors w.npz"), "w.npz" + all);
  EXPECT_EQ(output("convert m.safetensors w.safetensors"), "w.safetensors" + all);
  EXPECT_EQ(output("convert m.safetensors p.safetensors --to pytorch"), "p.safetensors" + all);
  EXPECT_EQ(output("convert w.npz v.safetensors"), "");
  EXPECT_EQ(output("convert v.safetensors n.safetensors --model m.safetensors"),
            "n.safetensors: left out:\n" + training);
  EXPECT_EQ(output("convert m.safetensors m.h"), "m.h: left out:\n" + training + seen);
  EXPECT_EQ(output("convert n.safetensors n.h"), "n.h: left out:\n" + seen) << "the model is not compiled";
  write_safetensors(folder / "s.safetensors", SafetensorsFile(folder / "v.safetensors").tensors(), {{"author", "a"}});
  EXPECT_EQ(output("convert s.safetensors t.safetensors"), "") << "it has all";
  EXPECT_EQ(output("convert s.safetensors t.npz"), "t.npz: left out:\n  metadata: author\n");
}

/// A model with every optional part, in every format: each part is in the new file or reported as left out.
TEST_F(ForeignFiles, ConvertListsEveryLostPartOfAModel) {
  std::istringstream table("a,b,kind\n1,x,cat\n2,y,dog\n3,x,dog\n4,y,cat\n");
  const CsvDataset data = read_csv(table, "t.csv");
  Sequential model({Input{3}, Dense{4, relu}, Dense{2, softmax}}, {.seed = 1});
  model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}});
  model.fit(data, {.verbose = Verbose::silent});
  freeze(model.get_layer(0));
  model.set_csv_encoding(data.encoding());
  model.save(folder / "all.safetensors");
  const SafetensorsFile whole(folder / "all.safetensors");
  SafetensorsMetadata metadata = whole.metadata();
  metadata["author"] = "someone";
  write_safetensors(folder / "a.safetensors", whole.tensors(), metadata);

  const std::string compiled = "  its compile settings: optimizer, loss, metrics\n  the state of its optimizer\n";
  const std::string state =
      "  its training progress and the state of its random streams\n  which parameters are frozen\n"
      "  the encoding of its training table\n";
  const std::string author = "  metadata: author\n", layers = "  the layers (only weights are written)\n";
  const auto expect_lost = [&](const std::string& arguments, const std::string& out, const std::string& lost) {
    EXPECT_EQ(output("convert a.safetensors " + arguments), out + ": left out:\n" + lost) << arguments;
  };
  expect_lost("a.h", "a.h", compiled + state + author);
  expect_lost("w.safetensors", "w.safetensors", layers + compiled + state);  // keeps metadata
  expect_lost("k.safetensors --to keras", "k.safetensors", layers + compiled + state + author);
  if (has_npz()) expect_lost("w.npz", "w.npz", layers + compiled + state + author);
#ifdef CORNU_HAS_ONNX
  expect_lost("a.onnx", "a.onnx", compiled + state + author);
  EXPECT_NE(read("a.onnx").find(R"(["cat", "dog"])"), std::string::npos) << "the names of the classes are kept";
#endif
  model.save_weights(folder / "v.safetensors");
  EXPECT_EQ(output("convert v.safetensors b.safetensors --model a.safetensors"),
            "b.safetensors: left out:\n" + compiled + author);
  const Sequential kept = Sequential::load(folder / "b.safetensors");
  EXPECT_TRUE(kept.has_csv_encoding());
  EXPECT_EQ(kept.get_weights(), model.get_weights());
  EXPECT_FALSE(kept.compiled());
}

TEST_F(ForeignFiles, ConvertToNpyReportsALostName) {
  write_safetensors(folder / "s.safetensors", std::array<RawTensor, 1>{{{"kernel", Dtype::f32, {0}, {}}}});
  EXPECT_EQ(output("convert s.safetensors x.npy"), "x.npy: left out:\n  the name \"kernel\"\n");
  EXPECT_EQ(output("convert s.safetensors kernel.npy"), "");
}

TEST_F(ForeignFiles, AGzipFileIsRecognisedByEveryCommand) {
  const auto compress = [&](const std::string& name) { shell("gzip -k " + name); };
  compress("m.safetensors");
  const std::string packed = ": this is compressed by gzip; gunzip it first";
  for (const char* const command : {"predict m.safetensors.gz m.safetensors", "evaluate m.safetensors.gz --data x"}) {
    expect_failure(command, "m.safetensors.gz" + packed);
  }
  const std::string model = "m.safetensors.gz: this is a safetensors file, compressed by gzip; gunzip it first";
  for (const char* const command :
       {"info m.safetensors.gz", "convert m.safetensors.gz x.npz", "predict m.safetensors m.safetensors.gz"}) {
    expect_failure(command, model);
  }
  write("t.csv", "1,2,3\n");
  compress("t.csv");
  expect_failure("predict m.safetensors t.csv.gz",
                 "t.csv.gz: this is a table as text (CSV), compressed by gzip; gunzip it first");
  expect_failure("evaluate m.safetensors --data t.csv.gz", "t.csv.gz" + packed);
  write_idx(path("x-ubyte.gz"), small.images());
  expect_rows(output("predict --all m.safetensors x-ubyte.gz"), small.outputs(), Real(1e-6));
}

TEST_F(ForeignFiles, IntegersThatWouldBeRoundedAreRefused) {
  const std::vector<std::int64_t> ids{1, 2, 3, 16777217, 5, 6};
  const RawTensor array{"ids", Dtype::i64, {2, 3}, std::as_bytes(std::span(ids))};
  write_npy(folder / "ids.npy", array);
  Sequential({Input{3}, Dense{1}}, {.seed = 1}).save(folder / "d.safetensors");
  expect_failure("predict d.safetensors ids.npy",
                 "ids.npy: \"ids\": the integer 16777217 at (1, 0) cannot be represented exactly in a float, which is "
                 "exact up to 2^24; store the array as floats if rounding is acceptable");
  EXPECT_NE(output("info ids.npy").find("I64"), std::string::npos);
  EXPECT_EQ(output("convert ids.npy ids.safetensors"), "") << "the integers are not converted to Real";
  EXPECT_TRUE(std::ranges::equal(SafetensorsFile(folder / "ids.safetensors").find("ids")->bytes, array.bytes));
}

/// Files that a reader must not block on or read forever, and things that are not files.
TEST_F(ForeignFiles, FoldersDevicesPipesAndEmptyFilesAreRefused) {
  std::filesystem::create_directory(folder / "d");
  ASSERT_EQ(shell("mkfifo p").status, 0);
  write("empty", "");
  for (const char* const name : {"d", "/dev/zero", "/dev/null", "p", "none", "empty"}) {
    for (const char* const command : {"info {}", "convert {} x.npz", "convert {} x.onnx", "predict {} m.safetensors",
                                      "predict m.safetensors {}", "evaluate m.safetensors --data {}",
                                      "evaluate {} --data m.safetensors", "convert {} x.safetensors --model {}"}) {
      if (std::string_view(name) == "p" && std::string_view(command) == "predict m.safetensors {}") continue;  // waits
      const std::string arguments = fmt::format(fmt::runtime(command), name, name);
      const Result result = shell("timeout 10 \"$cornu\" " + arguments);
      EXPECT_EQ(result.status, 1) << arguments;
      EXPECT_EQ(result.out, "") << arguments;
      EXPECT_NE(result.err.find(name), std::string::npos) << arguments << ": " << result.err;
    }
  }
}

#ifdef CORNU_HAS_ONNX
TEST_F(ForeignFiles, ConvertingAnOnnxModelReportsTheLostGraph) {
  output("convert m.safetensors m.onnx");
  EXPECT_TRUE(output("convert m.onnx w.safetensors")
                  .starts_with("w.safetensors: left out:\n  the graph (only weights are written)\n"));
}

TEST_F(ForeignFiles, InfoShowsAnOnnxModelThatCannotRun) {
  write("m.onnx", testing::unsupported_onnx_model());
  EXPECT_EQ(output("info m.onnx"),
            "m.onnx: ONNX, IR version 8, opset 21, ai.onnx.ml 3, by someone\n"
            "Inputs:\n"
            "  x  float16  (None, 3)\n"
            "Outputs:\n"
            "  label   string    (None,)\n"
            "  scores  sequence  any\n"
            "Batch: any size\n"
            "Metadata:\n"
            "  author: a\\u000ab\n"
            "Nodes:\n"
            "  Gemm: 2\n"
            "  Loop: 1\n"
            "  NonZero\\u000a  Forged: 1: 1\n"
            "  ai.onnx.ml.ZipMap: 1\n"
            "Initializers: 4\n"
            "  half   float16  (2, 3)\n"
            "  text   string   (1,)\n"
            "  far    float    (1000, 1000)  in another file\n"
            "  bytes  uint8    (4,)\n"
            "Parameters: 1000006\n"
            "Not supported: ops: ai.onnx.ml.ZipMap, Loop, NonZero\\u000a  Forged: 1\n"
            "Not supported: types: sequence, string\n"
            "Not supported: nested graphs: Loop\n");
  EXPECT_EQ(cornu("predict m.onnx m.onnx").status, 1);
}

TEST_F(ForeignFiles, AGraphWithoutInputsIsAnError) {
  copy_fixture("g_noinput_const.onnx");
  write("x.csv", "1,2\n");
  const std::string text =
      "g_noinput_const.onnx: 0 inputs and 1 outputs; predict and evaluate require one of each; 'cornu run' runs it";
  expect_failure("predict g_noinput_const.onnx x.csv", text);
  expect_failure("evaluate g_noinput_const.onnx --data x.csv", text);
  EXPECT_NE(output("info g_noinput_const.onnx").find("  Constant: 1\n"), std::string::npos);
}

TEST_F(ForeignFiles, ClassNamesInAKnownFormatAreUsed) {
  copy_fixture("meta_csv.onnx");
  write("x.csv", "0,0,0,1\n");
  const std::string classes = output("predict meta_csv.onnx x.csv --classes");
  EXPECT_TRUE(classes == "a\n" || classes == "b\n" || classes == "c\n") << classes;
  const std::string whole = read("meta_csv.onnx");
  for (const char* const foreign : {"{0:1}", "a,b,", "'a,b", "abcde"}) {
    std::string other = whole;
    const std::size_t at = other.find("a,b,c");
    ASSERT_NE(at, std::string::npos);
    std::string value = foreign;
    value.resize(5, 'x');
    other.replace(at, 5, value);
    write("other.onnx", other);
    const std::string answer = output("predict other.onnx x.csv --classes");
    EXPECT_TRUE(answer == "0\n" || answer == "1\n" || answer == "2\n" || value == "a,b,x") << foreign << ' ' << answer;
  }
}
#endif

TEST_F(ForeignFiles, InfoCannotBeForgedByNames) {
  const std::string forged = "a\nOptimizer: none\r\t\x1b[2J\x7f\xc2\x85\xe2\x80\xae\xff";
  const std::string shown = "a\\u000aOptimizer: none\\u000d\\u0009\\u001b[2J\\u007f\\u0085\\u202e";
  const std::string valid = forged.substr(0, forged.size() - 1);
  write_safetensors(folder / "w.safetensors", std::array<RawTensor, 1>{{{valid, Dtype::f32, {0}, {}}}},
                    {{valid, valid}});
  EXPECT_EQ(output("info w.safetensors"), "w.safetensors: safetensors\nMetadata:\n  " + shown + ": " + shown +
                                              "\n\nName" + std::string(shown.size() - 4, ' ') +
                                              "  Type  Shape  Bytes\n" + shown +
                                              "  F32   (0,)   0\n1 array, 0 elements, 0 bytes\n");
  // Errors about it stay on one line, too, and so do a model's layers.
  const Result result = cornu("predict w.safetensors w.safetensors");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  AnyLayer dense(Dense{1});
  dense.rename("dense\n└ forged");
  const Sequential model({Input{2}, dense}, {.name = "m\n"});
  model.save(folder / "n.safetensors");
  const std::string info = output("info n.safetensors");
  EXPECT_EQ(info.find("\n└ forged"), std::string::npos) << info;
  EXPECT_NE(info.find("Model: \"m\\u000a\"\n"), std::string::npos) << info;
}

TEST_F(ForeignFiles, EvaluateReadsTables) {
  std::string table = "names" + std::string(24, ',') + "\n";
  for (std::size_t i = 0; i < small.pixels.size(); ++i) {
    table += fmt::format("{},", static_cast<Real>(small.pixels[i]) / 255);
    if (i % 24 == 23) table += fmt::format("{}\n", small.labels[i / 24]);
  }
  const Logs expected = small.model.evaluate(small.data);
  const std::string text = fmt::format("accuracy: {:.4f}\nloss: {:.4f}\n", expected["accuracy"], expected["loss"]);
  for (const char* const name : {"x.csv", "x"}) {
    write(name, table);
    const std::string out = output(fmt::format("evaluate m.safetensors --data {}", name));
    EXPECT_NE(out.find(fmt::format("accuracy: {:.4f}\n", expected["accuracy"])), std::string::npos) << out;
    EXPECT_NE(out.find(fmt::format("loss: {:.4f}\n", expected["loss"])), std::string::npos) << out;
  }
  write("short.csv", "1,2,3\n");
  expect_failure("evaluate m.safetensors --data short.csv",
                 "short.csv: rows of 3 numbers; 24 inputs and a label after them are required");
  write_npy(folder / "x.npy", Tensor(Shape{2}));
  expect_failure("evaluate m.safetensors --data x.npy", "x.npy: a .npy array; --data takes a .npz file or a table");
}

TEST_F(ForeignFiles, EvaluateTakesMoreClassesThanMnistHas) {
  std::vector<std::uint8_t> pixels(47 * 784), labels;
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 59 % 251);
  for (std::uint8_t i = 0; i < 47; ++i) labels.push_back(i);
  std::filesystem::create_directory(folder / "emnist");
  write_idx(path("emnist/t10k-images-idx3-ubyte"), {.dimensions{47, 28, 28}, .data = pixels});
  write_idx(path("emnist/t10k-labels-idx1-ubyte"), {.dimensions{47}, .data = labels});
  Sequential model({Input{28, 28}, Flatten{}, Dense{47, softmax}}, {.seed = 1});
  model.compile({.loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.save(folder / "e.safetensors");
  const ImageDataset data(pixels, labels, {.classes = 47});
  const Logs expected = model.evaluate(data);
  EXPECT_NE(output("evaluate e.safetensors --mnist emnist").find(fmt::format("loss: {:.4f}\n", expected["loss"])),
            std::string::npos);
#ifdef CORNU_HAS_ONNX
  output("convert e.safetensors e.onnx");
  EXPECT_EQ(output("evaluate e.onnx --mnist emnist"), fmt::format("accuracy: {:.4f}\n", expected["accuracy"]));
#endif
  Sequential digits({Input{28, 28}, Flatten{}, Dense{10, softmax}}, {.seed = 1});
  digits.compile({.loss = SparseCategoricalCrossentropy{}});
  digits.save(folder / "d.safetensors");
  expect_failure("evaluate d.safetensors --mnist emnist",
                 "emnist/t10k-labels-idx1-ubyte: label 10 in row 10; labels must be below 10");
}

}  // namespace
}  // namespace cornu::tool
