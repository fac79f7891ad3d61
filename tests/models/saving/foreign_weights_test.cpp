// Weights with names other than those asked for, and files without weights.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <fstream>

#include "cornu/core/error.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

Sequential recurrent_model(std::uint64_t seed) {
  return Sequential({Input{4, 3}, LSTM{.units = 5}, BatchNormalization{}, Dense{2}}, {.seed = seed});
}

TEST(LoadWeights, SuggestsTheNamesThatFit) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  const std::pair<Names, const char*> all[]{
      {Names::cornu, "Names::cornu"}, {Names::pytorch, "Names::pytorch"}, {Names::keras, "Names::keras"}};
  for (const auto& [in_file, called] : all) {
    recurrent_model(1).save_weights(path, {.names = in_file});
    for (const auto& [asked, ignored] : all) {
      if (asked == in_file || (asked == Names::keras && in_file == Names::cornu)) continue;  // Keras's names read both
      Sequential model = recurrent_model(2);
      const std::vector<Tensor> before = model.get_weights();
      const std::string text = error_of<ValueError>([&, &a = asked] { model.load_weights(path, {.names = a}); });
      EXPECT_TRUE(text.ends_with(message("\nall weights fit under other names: did you mean .names = {}?", called)))
          << text;
      EXPECT_EQ(model.get_weights(), before);
    }
  }
}

TEST(LoadWeights, SuggestsTheNamesOfAnotherModelsWeights) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  Sequential({Input{7}, Dense{3}, Dense{2}}, {.seed = 1}).save_weights(path, {.names = Names::pytorch});
  Sequential model = recurrent_model(2);
  EXPECT_TRUE(error_of<ValueError>([&] {
                model.load_weights(path);
              }).ends_with("\nthe file's names look like another framework's: did you mean .names = Names::pytorch?"));
  EXPECT_EQ(error_of<ValueError>([&] { model.load_weights(path, {.names = Names::pytorch}); }).find("did you mean"),
            std::string::npos);
  EXPECT_EQ(error_of<FormatError>([&] { Sequential::load(path); }),
            path +
                ": its metadata has no \"cornu.model\"; to read weights alone, use load_weights with .names = "
                "Names::pytorch");
}

/// A model file whose names look like Keras's, because a model is inside: its metadata says that it is Cornu's.
TEST(LoadWeights, SuggestsCornusNamesForACornuModel) {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  Sequential({Input{7}, {"sequential", Sequential{Dense{3}, Dense{2}}}}, {.seed = 1}).save(path);
  Sequential model = recurrent_model(2);
  for (const Names names : {Names::pytorch, Names::keras}) {
    const std::string text = error_of<ValueError>([&] { model.load_weights(path, {.names = names}); });
    EXPECT_TRUE(text.ends_with("\nthe file's names look like Cornu's own: did you mean .names = Names::cornu?"))
        << text;
  }
  EXPECT_EQ(error_of<ValueError>([&] { model.load_weights(path); }).find("did you mean"), std::string::npos);
}

/// PyTorch's counters may be large; they are not read.
TEST(LoadWeights, IgnoredIntegersMayHaveAnyValue) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  Sequential model({Input{2}, BatchNormalization{}}, {.seed = 1});
  model.save_weights(path, {.names = Names::pytorch});
  std::vector<RawTensor> tensors;
  const SafetensorsFile file(path);
  const std::array<std::int64_t, 1> count{(std::int64_t{1} << 60) + 1};
  const std::array<std::int64_t, 2> odd{1, (std::int64_t{1} << 60) + 1};
  for (RawTensor tensor : file.tensors()) {
    if (tensor.name == "0.num_batches_tracked") tensor.bytes = std::as_bytes(std::span(count));
    tensors.push_back(tensor);
  }
  write_safetensors(folder / "long", tensors);
  EXPECT_TRUE(model.load_weights(folder / "long", {.names = Names::pytorch}));
  for (RawTensor& tensor : tensors) {
    if (tensor.name == "0.running_var") tensor = {"0.running_var", Dtype::i64, {2}, std::as_bytes(std::span(odd))};
  }
  write_safetensors(folder / "odd", tensors);
  const std::vector<Tensor> before = model.get_weights();
  EXPECT_NE(error_of<FormatError>([&] {
              model.load_weights(folder / "odd", {.names = Names::pytorch});
            }).find("\"0.running_var\": the integer 1152921504606846977 at (1,) cannot be represented exactly"),
            std::string::npos);
  EXPECT_EQ(model.get_weights(), before);
}

TEST(LoadWeights, NamesTheKindOfAnotherFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  Sequential model = recurrent_model(1);
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind == detail::FileKind::safetensors) continue;
    std::ofstream(path, std::ios::binary) << bytes;
    const std::string text = path + ": " + message("this is {}; {}", name_of(kind), remedy_for(kind));
    testing::expect_error<FormatError>([&] { Sequential::load(path); }, text);
    if (kind == detail::FileKind::pytorch) continue;  // load_weights reads this kind
    testing::expect_error<FormatError>([&] { model.load_weights(path); }, text);
  }
}

TEST(LoadWeights, ATensorOfAnUnreadTypeIsAnErrorOnlyIfItIsNeeded) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  Sequential model({Input{1}, Dense{1}}, {.seed = 1});
  const auto write = [&](const char* of_kernel, const char* more) {
    const std::string header = message(R"({{"dense/bias":{{"dtype":"F8_E5M2","shape":[1],"data_offsets":[0,1]}},)"
                                       R"("dense/kernel":{{"dtype":"{}","shape":[1,1],"data_offsets":[1,2]}}{}}})",
                                       of_kernel, more);
    const std::uint64_t length = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header << "\x3c\x40" << (*more == '\0' ? "" : "1");
  };
  write("F8_E5M2", "");
  model.load_weights(path);
  EXPECT_EQ(model.get_weights()[0][0], 2);
  EXPECT_EQ(model.get_weights()[1][0], 1);
  write("F4", "");
  EXPECT_EQ(error_of<FormatError>([&] { model.load_weights(path); }),
            path + ": " + path + ": \"dense/kernel\": dtype F4 is not supported; save it as F32");
  write("F8_E5M2", R"(,"other":{"dtype":"F4","shape":[2],"data_offsets":[2,3]})");
  EXPECT_EQ(error_of<ValueError>([&] { model.load_weights(path); }),
            path + ": the weights do not fit: unexpected: other");
  EXPECT_EQ(model.load_weights(path, {.strict = false}).unexpected, std::vector<std::string>{"other"});
}

}  // namespace
}  // namespace cornu
