// Weights under other names than were asked for, and files that hold none.
#include <gtest/gtest.h>

#include <fstream>

#include "cornu/core/error.h"
#include "cornu/layers/batch_normalization.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/layers/lstm.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

Sequential model_of(std::uint64_t seed) {
  return Sequential({Input{4, 3}, LSTM{.units = 5}, BatchNormalization{}, Dense{2}}, {.seed = seed});
}

TEST(LoadWeights, AsksWhetherOtherNamesWereMeant) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  const std::pair<Names, const char*> all[]{
      {Names::cornu, "Names::cornu"}, {Names::pytorch, "Names::pytorch"}, {Names::keras, "Names::keras"}};
  for (const auto& [in_file, called] : all) {
    model_of(1).save_weights(path, {.names = in_file});
    for (const auto& [asked, ignored] : all) {
      if (asked == in_file || (asked == Names::keras && in_file == Names::cornu)) continue;  // Keras's reads both
      Sequential model = model_of(2);
      const std::vector<Tensor> before = model.get_weights();
      const std::string text = error_of<ValueError>([&, &a = asked] { model.load_weights(path, {.names = a}); });
      EXPECT_TRUE(text.ends_with(message("\nunder other names all of them fit: did you mean .names = {}?", called)) ||
                  (in_file == Names::cornu &&
                   text.ends_with("\nunder other names all of them fit: did you mean .names = Names::keras?")))
          << text;
      EXPECT_EQ(model.get_weights(), before);
    }
  }
}

TEST(LoadWeights, AsksAlsoIfAnotherModelsWeightsComeUnderOtherNames) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  Sequential({Input{7}, Dense{3}, Dense{2}}, {.seed = 1}).save_weights(path, {.names = Names::pytorch});
  Sequential model = model_of(2);
  EXPECT_TRUE(error_of<ValueError>([&] {
                model.load_weights(path);
              }).ends_with("\nthe file's names look like another framework's: did you mean .names = Names::pytorch?"));
  EXPECT_EQ(error_of<ValueError>([&] { model.load_weights(path, {.names = Names::pytorch}); }).find("did you mean"),
            std::string::npos);
  EXPECT_EQ(error_of<FormatError>([&] { Sequential::load(path); }),
            path +
                ": there is no \"cornu.model\" in its metadata; weights alone are read by load_weights with .names = "
                "Names::pytorch");
}

TEST(LoadWeights, SaysOfWhichKindAnotherFileIs) {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  Sequential model = model_of(1);
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind == detail::FileKind::safetensors) continue;
    std::ofstream(path, std::ios::binary) << bytes;
    const std::string text = path + ": " + message("this is {}; {}", name_of(kind), remedy_for(kind));
    testing::expect_error<FormatError>([&] { model.load_weights(path); }, text);
    testing::expect_error<FormatError>([&] { Sequential::load(path); }, text);
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
            path + ": " + path + ": \"dense/kernel\": dtype F4 is not read; save it as F32");
  write("F8_E5M2", R"(,"other":{"dtype":"F4","shape":[2],"data_offsets":[2,3]})");
  EXPECT_EQ(error_of<ValueError>([&] { model.load_weights(path); }),
            path + ": the weights do not fit: unexpected: other");
  EXPECT_EQ(model.load_weights(path, {.strict = false}).unexpected, std::vector<std::string>{"other"});
}

}  // namespace
}  // namespace cornu
