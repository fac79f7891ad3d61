#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>

#include "cornu/tests/tool/support.h"
#ifdef CORNU_HAS_ONNX
#include "cornu/onnx/writer.h"
#endif

namespace cornu::tool {
namespace {

class PredictTool : public ToolTest {
 protected:
  PredictTool() { small.model.save(folder / "m.safetensors"); }

  /// The samples as a table, one per line.
  std::string table() const {
    std::string text;
    for (std::size_t i = 0; i < small.pixels.size(); ++i) {
      text += fmt::format("{}{}", static_cast<Real>(small.pixels[i]) / 255, i % 24 == 23 ? "\n" : ",");
    }
    return text;
  }
  std::string pgm(Index sample) const {
    const auto begin = small.pixels.begin() + sample * 24;
    return "P5 6 4 255\n" + std::string(begin, begin + 24);
  }

  SmallModel small;
};

TEST_F(PredictTool, PrintsTheClassAndItsProbabilityForAModelThatEndsInASoftmax) {
  write_idx(path("x"), small.images());
  const Tensor outputs = small.outputs(), classes = small.model.predict_classes(small.data);
  std::string expected;
  for (Index i = 0; i < small.samples; ++i) {
    expected += fmt::format("{}\t{:.4f}\n", classes[i], outputs.at({i, static_cast<Index>(classes[i])}));
  }
  EXPECT_EQ(output("predict m.safetensors x"), expected);
  std::string labels;
  for (const Real label : classes) labels += fmt::format("{}\n", label);
  EXPECT_EQ(output("predict m.safetensors x --classes"), labels);
}

TEST_F(PredictTool, PrintsTheSameBitsForSamplesOfEveryFormat) {
  const Tensor expected = small.outputs();
  write_idx(path("images-idx3-ubyte"), small.images());
  write_idx(path("images-idx3-ubyte.gz"), small.images());
  const std::vector<Index> shape{small.samples, 4, 6};
  const RawTensor raw{.name = "x", .dtype = Dtype::u8, .shape = shape, .bytes = std::as_bytes(std::span(small.pixels))};
  write_npy(folder / "bytes.npy", raw);
  Tensor x(Shape{small.samples, 24});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<Real>(small.pixels[static_cast<std::size_t>(i)]) / 255;
  write_npy(folder / "floats.npy", x);
  write("x.csv", table());
  write("with_names.csv", "a,b" + std::string(22, ',') + "\n" + table());
  for (const char* file :
       {"images-idx3-ubyte", "images-idx3-ubyte.gz", "bytes.npy", "floats.npy", "x.csv", "with_names.csv"}) {
    SCOPED_TRACE(file);
    expect_rows(output(fmt::format("predict --all m.safetensors {}", file)), expected);
  }
}

TEST_F(PredictTool, ReadsTablesWithAnyDelimiter) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.save(folder / "line.safetensors");
  const Tensor expected = line.predict(Tensor::matrix({{1, 2}, {-3, 0.5}}));
  for (const char* text :
       {"1,2\n-3,.5\n", "1;2\n-3;.5\n", "1\t2\n-3\t.5\n", "1,\t2\n-3,\t.5\n", "1 ; 2\r\n-3; .5",
        "\n \t\r\n1;2\n-3;.5\n", "\"width, cm\";\"5\"\", then;\n, \"\n1;2\n-3;.5\n", "width, height\n1,2\n-3,.5\n",
        "width;height\n1;2\n-3;.5\n", "width\theight\n1\t2\n-3\t.5\n"}) {
    SCOPED_TRACE(text);
    write("x", text);
    expect_rows(output("predict line.safetensors x"), expected);
  }
  write("x", "1,5;2,5\n");
  expect_failure("predict line.safetensors x",
                 "x: line 1: \"5;2\" is not a number; is the delimiter ';'? (--delimiter)");
}

TEST_F(PredictTool, ReadsSamplesFromStandardInputAndFromPipes) {
  write_idx(path("x.idx"), small.images());
  write_idx(path("x.idx.gz"), small.images());
  write_npy(folder / "x.npy", Tensor::full({small.samples, 24}, 0.25));
  write("x.csv", table());
  write("x.pgm", pgm(3));
  for (const char* file : {"x.idx", "x.idx.gz", "x.npy", "x.csv", "x.pgm"}) {
    SCOPED_TRACE(file);
    const std::string expected = output(fmt::format("predict --all m.safetensors {}", file));
    EXPECT_EQ(shell(fmt::format("cat {} | \"$cornu\" predict --all m.safetensors -", file)).out, expected);
    EXPECT_EQ(shell(fmt::format("\"$cornu\" predict --all m.safetensors - <{}", file)).out, expected);
    EXPECT_EQ(
        shell(fmt::format("mkfifo pipe; cat {} >pipe & \"$cornu\" predict --all m.safetensors pipe; rm pipe", file))
            .out,
        expected);
  }
  const std::string label = output("predict --classes m.safetensors x.pgm");
  EXPECT_EQ(shell("\"$cornu\" predict --classes m.safetensors - x.pgm <x.pgm").out, "-: " + label + "x.pgm: " + label);
  expect_failure("predict m.safetensors -",
                 "standard input: this is an empty file; was it written or downloaded completely?");
  const Result folder_alone = shell("\"$cornu\" predict m.safetensors - <.");
  EXPECT_EQ(folder_alone.err, "cornu: standard input: cannot be read (Is a directory)\n");
  EXPECT_EQ(folder_alone.status, 1);
  shell("mkfifo pipe");
  expect_failure("predict pipe x.pgm", "pipe: this is a folder, a device or a pipe, not a file");
}

#ifndef CORNU_SANITIZED  // sanitizers allocate memory themselves
TEST_F(PredictTool, KeepsSamplesInTheElementTypeOfTheFile) {
  Sequential large({Input{100, 100}, Flatten{}, Dense{2}}, {.seed = 1});
  large.save(folder / "large.safetensors");
  const auto most_bytes_after = [&](const std::string& file) {
    output("predict --classes large.safetensors " + file);
    rusage used{};
    getrusage(RUSAGE_CHILDREN, &used);  // the largest of all children
    return used.ru_maxrss * 1024;
  };
  constexpr std::int64_t samples = 10'000, bytes = samples * 100 * 100;
  const auto write_zeros = [&](const std::string& name, const std::string& header, std::int64_t count) {
    write(name, header);
    std::filesystem::resize_file(folder / name, header.size() + static_cast<std::uint64_t>(count) * 100 * 100);
  };
  const auto idx_header = [](char high, char low) {
    return std::string("\0\0\x08\x03\0\0", 6) + high + low + std::string("\0\0\0\x64\0\0\0\x64", 8);
  };
  write_zeros("one", idx_header(0, 1), 1);
  const auto before = most_bytes_after("one");
  std::string npy_header = "{'descr': '|u1', 'fortran_order': False, 'shape': (10000, 100, 100), }";
  npy_header.resize(117, ' ');
  write_zeros("npy", std::string("\x93NUMPY\x01\0\x76\0", 10) + npy_header + "\n", samples);
  write_zeros("idx", idx_header(0x27, 0x10), samples);
  shell("gzip -1 <idx >idx.gz");
  for (const char* const file : {"npy", "idx", "idx.gz"}) EXPECT_LT(most_bytes_after(file), before + 3 * bytes) << file;
}
#endif

TEST_F(PredictTool, ReadsImagesAndNamesThemIfThereAreSeveral) {
  write("a.pgm", pgm(0));
  write("b.pgm", pgm(1));
  const std::string all = output("predict --all m.safetensors a.pgm b.pgm");
  const std::size_t end = all.find('\n') + 1;
  EXPECT_EQ(all.substr(0, 7), "a.pgm: ");
  EXPECT_EQ(all.substr(end, 7), "b.pgm: ");
  expect_rows(all.substr(7, end - 7), small.model.predict(small.sample(0)));
  expect_rows(all.substr(end + 7), small.model.predict(small.sample(1)));
}

TEST_F(PredictTool, PrintsTheBestClassesInOrder) {
  write("a.pgm", pgm(4));
  const Tensor outputs = small.model.predict(small.sample(4));
  std::vector<Index> order{0, 1, 2};
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return outputs[a] > outputs[b]; });
  const auto part = [&](std::size_t i) { return fmt::format("{}\t{:.4f}", order[i], outputs[order[i]]); };
  EXPECT_EQ(output("predict m.safetensors a.pgm --top 2"), part(0) + "\t" + part(1) + "\n");
  EXPECT_EQ(output("predict m.safetensors a.pgm --top 9"), part(0) + "\t" + part(1) + "\t" + part(2) + "\n");
}

TEST_F(PredictTool, ASingleLogitIsComparedAsAProbability) {
  const auto save = [&](const AnyLoss& loss, bool include_optimizer) {
    Sequential model{Input{1}, Dense{.units = 1, .use_bias = false}};
    model.set_weights(std::vector<Tensor>{Tensor::matrix({{1}})});
    model.compile({.loss = loss});
    model.save(folder / "one.safetensors", {.include_optimizer = include_optimizer});
  };
  write("x", "-0.25\n0.25\n0.75\n");
  write("probabilities", "0.25\n0.75\n");
  save(BinaryCrossentropy{.from_logits = true}, true);
  EXPECT_EQ(output("predict one.safetensors x --classes"), "0\n1\n1\n");
  const auto file_does_not_tell = [&](const std::string& model) {
    EXPECT_EQ(output("predict " + model + " probabilities --classes"), "0\n1\n");
    EXPECT_NE(
        cornu("predict " + model + " x --classes").err.find("the output -0.25 is not a probability, so it has no "),
        std::string::npos);
  };
#ifdef CORNU_HAS_ONNX
  output("convert one.safetensors one.onnx");
  file_does_not_tell("one.onnx");
#endif
  save(BinaryCrossentropy{}, true);
  file_does_not_tell("one.safetensors");
  save(BinaryCrossentropy{.from_logits = true}, false);
  file_does_not_tell("one.safetensors");
}

TEST_F(PredictTool, WritesAllOutputsToAnNpyFile) {
  write_idx(path("x"), small.images());
  write("a.pgm", pgm(0));
  EXPECT_EQ(output("predict m.safetensors x a.pgm -o y.npy"), "");
  const Tensor y = NpyFile(folder / "y.npy").tensor(), expected = small.outputs();
  ASSERT_EQ(y.shape(), (Shape{small.samples + 1, 3}));
  // A batch of one is summed in a different order than a larger one.
  for (Index i = 0; i < y.size(); ++i) EXPECT_FLOAT_EQ(y[i], expected[i % expected.size()]);
  expect_failure("predict m.safetensors x -o y.txt", "--output: y.txt: its name must end in .npy", 2);
}

TEST_F(PredictTool, InvertsAndScalesPixels) {
  write("a.pgm", pgm(2));
  std::string inverted = "P2\n# the same, darker where it was lighter\n6 4\n255\n";
  for (std::size_t i = 48; i < 72; ++i) inverted += fmt::format("{} ", 255 - small.pixels[i]);
  write("b.pgm", inverted);
  const std::string expected = output("predict --all m.safetensors a.pgm");
  EXPECT_EQ(output("predict --all m.safetensors b.pgm --invert"), expected);
  EXPECT_NE(output("predict --all m.safetensors b.pgm"), expected);

  write("x.csv", table());
  std::string raw;
  for (std::size_t i = 0; i < 24; ++i) raw += fmt::format("{}{}", small.pixels[i], i == 23 ? "\n" : ",");
  write("raw.csv", raw);
  write("first.pgm", pgm(0));
  EXPECT_EQ(output("predict --all m.safetensors first.pgm --scale 1"), output("predict --all m.safetensors raw.csv"));
  expect_failure("predict m.safetensors x.csv --invert",
                 "x.csv: the values are not pixels, so --invert does not apply");
}

TEST_F(PredictTool, PrintsAllOutputsUnlessTheModelIsAClassifier) {
  Sequential line({Input{2}, Dense{1}}, {.seed = 1});
  line.save(folder / "line.safetensors");
  write("x.csv", "1e-60,-1e-60\n1,2\n\n-3e1,+.5\n");
  const Tensor x = Tensor::matrix({{0, 0}, {1, 2}, {-30, 0.5}});
  expect_rows(output("predict line.safetensors x.csv"), line.predict(x));
  EXPECT_NE(cornu("predict line.safetensors x.csv --classes").err.find(" is not a probability, so it has no class"),
            std::string::npos);
}

TEST_F(PredictTool, ErrorsSayWhichSamplesAModelTakes) {
  write("wide.pgm", "P2 2 3 9 0 1 2 3 4 5");
  expect_failure("predict m.safetensors wide.pgm",
                 "wide.pgm: an image of 3 x 2 pixels (height x width), but the model takes (4, 6)");
  write("x.csv", "1,2,3\n");
  expect_failure("predict m.safetensors x.csv", "x.csv: shape (1, 3), but the model takes samples of shape (4, 6)");
  write("x.csv", "1,2\n1,b\n");
  expect_failure("predict m.safetensors x.csv",
                 "x.csv: line 2: \"b\" is not a number; a table of texts needs a model that carries the "
                 "table's encoding (Sequential::set_csv_encoding)");
  write("x.csv", "1,2\n1,2,3\n");
  expect_failure("predict m.safetensors x.csv", "x.csv: line 2: 3 numbers; the rows before it have 2");
  write("x.csv", "a,b\n");
  expect_failure("predict m.safetensors x.csv", "x.csv: there are no numbers in it");
  write_npy(folder / "turned.npy", Tensor(Shape{2, 6, 4}));
  expect_failure("predict m.safetensors turned.npy",
                 "turned.npy: shape (2, 6, 4), but the model takes samples of shape (4, 6)");
  expect_failure("predict m.safetensors m.safetensors",
                 "m.safetensors: a safetensors file; samples are read from IDX, .npy, PNG, PGM and tables of numbers");
  expect_failure("predict turned.npy turned.npy",
                 "turned.npy: a .npy array; a model must be a safetensors, Keras or ONNX file");
  Sequential series({Input{4, 2, 2}, Flatten{}, Dense{1}}, {});
  series.save(folder / "series.safetensors");
  expect_failure("predict series.safetensors wide.pgm",
                 "wide.pgm: an image, but the model takes shape (4, 2, 2), which is not an image");
  Sequential rows({Input{2}, Reshape{1, 2}}, {});
  rows.save(folder / "rows.safetensors");
  write("x.csv", "1,2\n");
  EXPECT_EQ(output("predict rows.safetensors x.csv"), "1,2\n");
  expect_failure("predict rows.safetensors x.csv --top 1",
                 "rows.safetensors: the outputs of a sample have shape (1, 2); classes require one axis");
}

#ifdef CORNU_HAS_ONNX
TEST_F(PredictTool, PadsSamplesToTheFixedBatchOfAGraph) {
  const Index shape[] = {8, 2};
  onnx::detail::Writer graph;
  graph.input("x", shape);
  const std::string y = graph.node("Reshape", {"x", graph.initializer("shape", std::span(shape))});
  graph.output(graph.node("Softmax", {y}), shape);
  write("m.onnx", graph.finished("eight"));
  write("x.csv", "1,1\n");
  EXPECT_EQ(output("predict --all m.onnx x.csv"), "0.5,0.5\n");
  std::string table, classes;
  for (int i = 0; i < 11; ++i) {
    table += fmt::format("{},{}\n", i % 3, 1);
    classes += fmt::format("{}\n", i % 3 == 0 ? "1\t0.7311" : i % 3 == 1 ? "0\t0.5000" : "0\t0.7311");
  }
  write("x.csv", table);
  EXPECT_EQ(output("predict m.onnx x.csv"), classes);

  onnx::detail::Writer other;
  const Index halves[] = {16, 1}, open[] = {onnx::detail::Writer::any, 1};
  other.input("x", shape);
  other.output(other.node("Reshape", {"x", other.initializer("shape", std::span(halves))}), open);
  write("m.onnx", other.finished("halves"));
  const Result result = cornu("predict m.onnx x.csv");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("m.onnx: for a batch of 8 samples its outputs have shape (16, 1)"), std::string::npos)
      << result.err;
}
#endif

TEST_F(PredictTool, TakesASingleSampleAsABatchOfOne) {
  write_npy(folder / "one.npy", Tensor::full({4, 6}, 0.25));
  const Tensor expected = small.model.predict(Tensor::full({1, 4, 6}, 0.25));
  expect_rows(output("predict --all m.safetensors one.npy"), expected);
  write_npy(folder / "flat.npy", Tensor::full({24}, 0.25));
  expect_rows(output("predict --all m.safetensors flat.npy"), expected);
}

}  // namespace
}  // namespace cornu::tool
