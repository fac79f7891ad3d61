#include <fmt/format.h>

#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

class ConvertTool : public ToolTest {
 protected:
  ConvertTool() { small.model.save(folder / "m.safetensors"); }

  std::vector<Tensor> weights_of(const std::string& file) const {
    Sequential model({Input{4, 6}, Flatten{}, Dense{5, relu}, Dense{3, softmax}}, {.seed = 99});
    model.load_weights(folder / file);
    return model.get_weights();
  }

  SmallModel small;
};

#ifdef CORNU_HAS_ONNX
TEST_F(ConvertTool, AnOnnxModelPredictsWhatTheCornuModelPredicts) {
  write_idx(path("x"), small.images());
  EXPECT_EQ(output("convert m.safetensors m.onnx"),
            "m.onnx: left out:\n"
            "  its compile settings: optimizer, loss, metrics\n"
            "  the state of its optimizer\n"
            "  its training progress and the state of its random streams\n");
  expect_rows(output("predict --all m.onnx x"), small.outputs(), Real(1e-5));
  EXPECT_EQ(output("predict m.onnx x --classes"), output("predict m.safetensors x --classes"));
  output("convert --class-names cat,dog,horse m.safetensors named.onnx");
  std::string names;
  for (const Real c : small.model.predict_classes(small.data))
    names += std::array{"cat", "dog", "horse"}[static_cast<std::size_t>(c)] + std::string("\n");
  EXPECT_EQ(output("predict named.onnx x --classes"), names);
}

TEST_F(ConvertTool, AnOnnxModelOfImagesWithChannelsFirstTakesImages) {
  Sequential model({Input{2, 3, 1}, Conv2D{.filters = 2, .kernel_size = 2}, Flatten{}, Dense{2}}, {.seed = 5});
  model.save(folder / "c.safetensors");
  output("convert c.safetensors c.onnx");
  write("a.pgm", "P2 3 2 255 1 20 200 3 40 50");
  EXPECT_EQ(numbers_of(output("predict c.onnx a.pgm")).size(), 1u);
  expect_rows(output("predict c.onnx a.pgm"),
              model.predict(Tensor({1, 2, 3, 1}, {1, 20, 200, 3, 40, 50}) * (Real(1) / 255)), Real(1e-5));
}

TEST_F(ConvertTool, WeightsOfAnOnnxModelAreExtracted) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  output("convert m.safetensors m.onnx");
  output("convert m.onnx w.safetensors");
  EXPECT_EQ(weights_of("w.safetensors"), small.model.get_weights());
  output("convert m.onnx w.npz");
  EXPECT_EQ(NpzFile(folder / "w.npz").tensor("dense/kernel"), small.model.get_weights()[0]);
}
#else
TEST_F(ConvertTool, WithoutOnnxItIsAnError) {
  write("x.onnx", "\x08\x08\x12");
  for (const char* const command :
       {"convert m.safetensors x.onnx", "convert x.onnx w.safetensors", "info x.onnx", "predict x.onnx x.onnx"}) {
    expect_failure(command, "x.onnx: an ONNX model, but this program was built without cornu::onnx");
  }
}
#endif

TEST_F(ConvertTool, WeightsGoToNumPyAndBackUnchanged) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  output("convert m.safetensors w.npz");
  output("convert m.safetensors small.npz --compressed");
  output("convert w.npz w.safetensors");
  output("convert small.npz small.safetensors");
  EXPECT_EQ(weights_of("w.safetensors"), small.model.get_weights());
  EXPECT_EQ(read("small.safetensors"), read("w.safetensors"));
  EXPECT_NE(read("small.npz"), read("w.npz"));
  EXPECT_EQ(NpzFile(folder / "w.npz").arrays().size(), 4u);  // and none of the optimizer's state
}

TEST_F(ConvertTool, ToCornuWritesWhatSaveWeightsWrites) {
  small.model.save_weights(folder / "expected.safetensors");
  output("convert m.safetensors w.safetensors");
  EXPECT_EQ(read("w.safetensors"), read("expected.safetensors"));
}

TEST_F(ConvertTool, WeightsGoToPyTorchAndKerasAndBackIntoAModel) {
  Sequential other({Input{4, 6}, Flatten{}, Dense{5, relu}, Dense{3, softmax}}, {.seed = 99});
  other.save(folder / "other.safetensors");
  for (const char* const names : {"pytorch", "keras", "cornu"}) {
    output(fmt::format("convert m.safetensors w.safetensors --to {}", names));
    output(fmt::format("convert w.safetensors back.safetensors --model other.safetensors --from {}", names));
    EXPECT_EQ(Sequential::load(folder / "back.safetensors").get_weights(), small.model.get_weights()) << names;
  }
  output("convert m.safetensors w.safetensors --to pytorch");
  const SafetensorsFile pytorch(folder / "w.safetensors");
  const RawTensor* const kernel = pytorch.find("1.weight");
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->shape, (std::vector<Index>{5, 24}));
  EXPECT_EQ(cornu("convert w.safetensors back.safetensors --model other.safetensors").status, 1);
  expect_failure("convert w.safetensors b.safetensors --from keras", "--from requires --model", 2);
  expect_failure("convert m.safetensors w.npz --to keras", "--to applies only to .safetensors, not to w.npz", 2);
}

TEST_F(ConvertTool, SingleArraysGoFromIdxToNumPyAndBetweenItsFormats) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  write_idx(path("labels-idx1-ubyte.gz"), {.dimensions{7}, .data = small.labels});
  output("convert labels-idx1-ubyte.gz y.npy");
  output("convert y.npy y.npz");
  output("convert y.npz again.npy");
  const NpyFile y(folder / "y.npy");
  EXPECT_EQ(y.array().dtype, Dtype::u8);
  EXPECT_EQ(y.tensor(), Tensor::vector({0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(read("again.npy"), read("y.npy"));
  expect_failure("convert m.safetensors w.npy", "m.safetensors: 4 arrays, but a .npy file holds one; use .npz");
}

TEST_F(ConvertTool, AHeaderIsThatOfExportCpp) {
  output("convert m.safetensors net.h");
  EXPECT_EQ(read("net.h"), to_cpp(small.model));
  output("convert m.safetensors digits.h --name digits --int8");
  EXPECT_EQ(read("digits.h"), to_cpp(small.model, {.name = "digits", .int8_weights = true}));
}

TEST_F(ConvertTool, ErrorsListThePossibleConversions) {
  const std::string arrays = "; it converts to .safetensors, .npz and .npy";
  write("a.pgm", "P2 1 1 1 1");
  write_npy(folder / "a.npy", Tensor(Shape{2}));
  expect_failure("convert m.safetensors m.txt",
                 "m.safetensors: a Cornu model cannot be converted to m.txt; it converts to .safetensors, .npz, .npy, "
                 ".onnx and .h");
  expect_failure("convert a.npy a.onnx", "a.npy: a .npy array cannot be converted to a.onnx" + arrays);
  expect_failure("convert a.pgm a.npy",
                 "a.pgm: a PGM image cannot be converted to a.npy; only models and arrays (safetensors, "
                 "PyTorch, Keras, ONNX, .npy, .npz and IDX files) can be converted");
  output("convert a.npy w.safetensors");
  expect_failure("convert w.safetensors w.h",
                 "w.safetensors: a safetensors file cannot be converted to w.h" + arrays +
                     ", and as the weights of a Cornu model (--model MODEL) to .safetensors, .onnx and .h");
  expect_failure("convert a.npy a.npz --int8", "--int8 applies only to .h, not to a.npz", 2);
  expect_failure("convert a.npy a.npz --name x", "--name applies only to .h, not to a.npz", 2);
  for (const char* const name : {"1a", "class"}) {
    expect_failure(fmt::format("convert m.safetensors a.h --name {}", name),
                   fmt::format("--name: \"{}\" cannot be a namespace (it is not an identifier, or is a keyword or "
                               "reserved)\n"
                               "Try 'cornu --help' for more.",
                               name),
                   2);
  }
  expect_failure("convert a.npy a.npz --class-names x", "--class-names applies only to .onnx, not to a.npz", 2);
  expect_failure("convert a.npy a.safetensors --compressed", "--compressed applies only to .npz, not to a.safetensors",
                 2);
}

TEST_F(ConvertTool, RefusesToOverwriteItsInput) {
  const std::string before = read("m.safetensors");
  expect_failure("convert m.safetensors ./m.safetensors", "./m.safetensors: IN and OUT are the same file");
  EXPECT_EQ(shell("ln -s m.safetensors link.safetensors").status, 0);
  expect_failure("convert m.safetensors link.safetensors", "link.safetensors: IN and OUT are the same file");
  EXPECT_EQ(read("m.safetensors"), before);
}

}  // namespace
}  // namespace cornu::tool
