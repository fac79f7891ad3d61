// Every kind of file converted to every format.
#include <fmt/format.h>

#include <map>
#include <set>

#include "cornu/tests/support/paths.h"
#include "cornu/tests/tool/support.h"
#include "cornu/tool/arrays.h"

namespace cornu::tool {
namespace {

using Values = std::map<std::string, std::vector<std::byte>>;

/// The bytes of the arrays of a file, by name.
Values values_in(const std::string& path, FileKind kind) {
  Values result;
  for (const RawTensor& array : read_arrays(path, kind).list)
    result[array.name] = {array.bytes.begin(), array.bytes.end()};
  return result;
}

FileKind kind_for(const std::string& out) {
  return out.ends_with(".npz") ? FileKind::npz : out.ends_with(".npy") ? FileKind::npy : FileKind::safetensors;
}

class Conversions : public ToolTest {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
    model.save(path("m.safetensors"));
    model.save_weights(path("w.safetensors"));
    output("convert w.safetensors w.npz");
    write_npy(path("a.npy"), x);
    write_npz(path("a.npz"), std::array{raw_tensor("a", x)});
    write_idx(path("i.idx"), {.dimensions{2}, .data = std::vector<std::uint8_t>{3, 4}});
    write("p.pgm", "P2 1 1 1 1");
    write("t.csv", "1,2\n3,4\n");
    std::filesystem::copy(testing::source_path("tests/formats/fixtures/pytorch/plain.pt"), path("p.pt"));
#ifdef CORNU_HAS_KERAS
    std::filesystem::copy(testing::source_path("tests/keras/fixtures/mlp.keras"), path("k.keras"));
    std::filesystem::copy(testing::source_path("tests/keras/fixtures/small.weights.h5"), path("k.weights.h5"));
#endif
#ifdef CORNU_HAS_ONNX
    output("convert m.safetensors g.onnx");
#endif
  }

  Tensor x = Tensor::matrix({{1, 2, 3}, {4, -5, 6}});
  Sequential model{Input{3}, Dense{4, relu}, Dense{2}};
};

struct Row {
  const char* in;
  std::set<std::string> becomes, as_model;  // by itself, and with --model
  bool has_one_array = false;
};

/// Each pair works, and holds the same values or predicts the same; or it is refused, with every format that the file
/// does convert to.
TEST_F(Conversions, WorkOrSayWhatTheFileConvertsTo) {
  const std::set<std::string> arrays{".safetensors", ".npz", ".npy"}, models{".safetensors", ".onnx", ".h"},
      all{".safetensors", ".npz", ".npy", ".onnx", ".h"}, none;
  const Row rows[] = {
      {"m.safetensors", all, models}, {"w.safetensors", arrays, models},
      {"w.npz", arrays, models},      {"a.npz", arrays, models, true},
      {"a.npy", arrays, none, true},  {"i.idx", arrays, none, true},
      {"p.pt", arrays, models},       {"p.pgm", none, none},
      {"t.csv", none, none},
#ifdef CORNU_HAS_KERAS
      {"k.keras", all, models},       {"k.weights.h5", arrays, models},
#endif
#ifdef CORNU_HAS_ONNX
      {"g.onnx", arrays, none},
#endif
  };
  for (const Row& row : rows) {
    for (const std::string ending :
         {".safetensors", ".npz", ".npy", ".onnx", ".h", ".pt", ".pth", ".h5", ".weights.h5", ".keras", ".txt", ""}) {
      const std::string out = "out" + ending, command = fmt::format("convert {} {}", row.in, out);
      SCOPED_TRACE(command);
      std::filesystem::remove(path(out));
      const Result result = cornu(command);
      const bool is_known = row.becomes.contains(ending);
#ifndef CORNU_HAS_ONNX
      if (is_known && ending == ".onnx") continue;
#endif
      const bool works = is_known && (ending != ".npy" || row.has_one_array);
      EXPECT_EQ(result.status, works ? 0 : 1) << result.err;
      EXPECT_EQ(std::filesystem::exists(path(out)), works);
      if (works || is_known) continue;  // known but refused: several arrays in .npy
      EXPECT_EQ(result.err.find(fmt::format("cornu: {}: ", row.in)), 0U) << result.err;
      EXPECT_NE(result.err.find(fmt::format("cannot be converted to {}", out)), std::string::npos) << result.err;
      for (const std::string& each : row.becomes) {
        EXPECT_NE(result.err.find(each, result.err.find("converts to")), std::string::npos)
            << each << ": " << result.err;
      }
      for (const char* const unwritten : {".pt", ".pth", ".h5", ".keras"}) {
        if (!ending.ends_with(unwritten)) continue;
        EXPECT_NE(result.err.find("Cornu does not write "), std::string::npos) << result.err;
      }
      EXPECT_EQ(result.err.find("--model") != std::string::npos, !row.as_model.empty() && row.becomes == arrays)
          << result.err;
    }
    for (const std::string ending : {".npz", ".npy", ".txt"}) {  // no models
      const Result result = cornu(fmt::format("convert {} out{} --model m.safetensors", row.in, ending));
      EXPECT_EQ(result.status, 1) << row.in << ending;
      EXPECT_NE(result.err.find("cannot be converted"), std::string::npos) << result.err;
    }
  }
}

TEST_F(Conversions, ArraysKeepTheirBytes) {
  struct Case {
    std::string in;
    FileKind kind;
  };
  std::vector<Case> cases{{"w.safetensors", FileKind::safetensors},
                          {"w.npz", FileKind::npz},
                          {"p.pt", FileKind::pytorch},
                          {"a.npy", FileKind::npy},
                          {"a.npz", FileKind::npz},
                          {"i.idx", FileKind::idx}};
#ifdef CORNU_HAS_KERAS
  cases.push_back({"k.weights.h5", FileKind::hdf5});
#endif
#ifdef CORNU_HAS_ONNX
  cases.push_back({"g.onnx", FileKind::onnx});
#endif
  for (const Case& each : cases) {
    const Values expected = values_in(path(each.in), each.kind);
    ASSERT_FALSE(expected.empty());
    for (const std::string out : {"out.safetensors", "out.npz", "out.npy"}) {
      if (out == "out.npy" && expected.size() > 1) continue;
      SCOPED_TRACE(each.in + " to " + out);
      EXPECT_EQ(cornu(fmt::format("convert {} {}", each.in, out)).status, 0);
      const Values came = values_in(path(out), kind_for(out));
      if (out == "out.npy" || each.kind == FileKind::npy) {
        EXPECT_EQ(came.begin()->second, expected.begin()->second);  // the name is the file's
      } else {
        EXPECT_EQ(came, expected);
      }
    }
  }
}

TEST_F(Conversions, ModelsPredictTheSame) {
  const std::string expected = output("predict m.safetensors a.npy");
  expect_rows(expected, model.predict(x));
  Sequential{Input{3}, Dense{4, relu}, Dense{2}}.save(path("other.safetensors"));
  for (const char* const weights : {"m.safetensors", "w.safetensors", "w.npz"}) {
    SCOPED_TRACE(weights);
    EXPECT_EQ(cornu(fmt::format("convert {} n.safetensors --model other.safetensors", weights)).status, 0);
    EXPECT_EQ(output("predict n.safetensors a.npy"), expected);
    EXPECT_EQ(cornu(fmt::format("convert {} n.h --model other.safetensors", weights)).status, 0);
    EXPECT_EQ(read("n.h"), to_cpp(model));
#ifdef CORNU_HAS_ONNX
    EXPECT_EQ(cornu(fmt::format("convert {} n.onnx --model other.safetensors", weights)).status, 0);
    expect_rows(output("predict n.onnx a.npy"), model.predict(x), Real(1e-5));
#endif
  }
  expect_failure("convert w.npz n.safetensors --model other.safetensors --from keras",
                 "--from keras applies to safetensors and PyTorch files; convert w.npz to .safetensors first", 2);
  write_npz(path("few.npz"), std::array{raw_tensor("dense/kernel", Tensor(Shape{3, 4}))});
  expect_failure("convert few.npz n.safetensors --model other.safetensors",
                 "few.npz: the weights do not fit: missing: dense/bias, dense_1/kernel, dense_1/bias");
}

#ifdef CORNU_HAS_KERAS
TEST_F(Conversions, OfAKerasModelHoldTheSameWeights) {
  EXPECT_EQ(cornu("convert k.keras k.safetensors").status, 0);
  EXPECT_EQ(cornu("convert k.keras k.npz").status, 0);
  EXPECT_EQ(cornu("convert k.safetensors w2.npz").status, 0);
  EXPECT_EQ(values_in(path("k.npz"), FileKind::npz), values_in(path("w2.npz"), FileKind::npz));
  EXPECT_EQ(cornu("convert k.npz k2.safetensors --model k.safetensors").status, 0);
  EXPECT_EQ(Sequential::load(path("k2.safetensors")).get_weights(),
            Sequential::load(path("k.safetensors")).get_weights());
  expect_failure("convert w.npz n.safetensors --model k.keras",
                 "--model k.keras: a Keras model; 'cornu convert k.keras MODEL.safetensors' makes a Cornu model of it");
  expect_failure(
      "convert w.npz n.safetensors --model k.weights.h5",
      "k.weights.h5: weights without a model; 'cornu convert --model MODEL k.weights.h5 OUT' loads them into "
      "a model");
}
#endif

}  // namespace
}  // namespace cornu::tool
