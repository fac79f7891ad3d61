#include <filesystem>

#include "cornu/tests/support/paths.h"
#include "cornu/tests/tool/support.h"

// PyTorch's own files in `cornu info` and `cornu convert`.

namespace cornu::tool {
namespace {

class PyTorchTool : public ToolTest {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
    for (const char* const name : {"plain.pt", "two.pt", "views.pt"}) {
      std::filesystem::copy(testing::source_path("tests/formats/fixtures/pytorch/") + name, folder / name);
    }
    Sequential{Input{2}, Dense{3}, BatchNormalization{}, Dense{1}}.save(folder / "m.safetensors");
  }
};

TEST_F(PyTorchTool, InfoListsTheTensors) {
  EXPECT_EQ(output("info plain.pt"),
            "plain.pt: pytorch\n"
            "\n"
            "Name                   Type  Shape   Bytes\n"
            "0.weight               F32   (3, 2)  24\n"
            "0.bias                 F32   (3,)    12\n"
            "1.weight               F32   (3,)    12\n"
            "1.bias                 F32   (3,)    12\n"
            "1.running_mean         F32   (3,)    12\n"
            "1.running_var          F32   (3,)    12\n"
            "1.num_batches_tracked  I64   ()      8\n"
            "2.weight               F32   (1, 3)  12\n"
            "2.bias                 F32   (1,)    4\n"
            "9 arrays, 26 elements, 108 bytes\n");
  EXPECT_TRUE(output("info --json plain.pt")
                  .starts_with(R"({"format":"pytorch","tensors":[{"name":"0.weight","type":"F32","shape":[3,2],)"));
  EXPECT_TRUE(output("info views.pt")
                  .ends_with("Not read: complex: its element type is not supported; save it as torch.float32\n"));
}

TEST_F(PyTorchTool, ConvertLoadsTheWeightsIntoAModel) {
  output("convert plain.pt trained.safetensors --model m.safetensors");
  Sequential expected{Input{2}, Dense{3}, BatchNormalization{}, Dense{1}};
  expected.load_weights(folder / "plain.pt");
  EXPECT_EQ(Sequential::load(folder / "trained.safetensors").get_weights(), expected.get_weights());
  output("convert plain.pt again.safetensors --model m.safetensors --from pytorch");
  EXPECT_EQ(read("again.safetensors"), read("trained.safetensors"));
  output("convert plain.pt w.npz");
  EXPECT_EQ(NpzFile(folder / "w.npz").tensor("2.bias"), expected.get_weights().back());
}

TEST_F(PyTorchTool, ErrorsSayWhatToDo) {
  const std::string without_model =
      "plain.pt: weights without a model; 'cornu convert --model MODEL plain.pt OUT' loads them into a model";
  expect_failure("predict plain.pt views.pt", without_model);
  expect_failure(
      "convert plain.pt x.onnx",
      "plain.pt: a PyTorch checkpoint cannot be converted to x.onnx; it converts to .safetensors, .npz and .npy, "
      "and as the weights of a Cornu model (--model MODEL) to .safetensors, .onnx and .h");
  expect_failure("info two.pt",
                 "two.pt: data.pkl: it has several dicts of tensors: \"generator\", \"discriminator\"; in Python, "
                 "torch.save(torch.load(FILE)[\"generator\"], ...) writes one of them");
}

}  // namespace
}  // namespace cornu::tool
