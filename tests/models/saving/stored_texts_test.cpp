// Files store text as UTF-8. Other text is rejected when it is set or, at the latest, when it is written.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <sstream>

#include "cornu/cornu.h"
#include "cornu/formats/event_file.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

const std::string latin1 = "caf\xE9";

/// A user's layer whose only parameter has a given name.
struct NamedScale {
  std::string label;
  Parameter scale{.value = Tensor::vector({2})};

  Var forward(Var x) const { return x * x.tape().parameter(scale); }
  NamedParameters parameters() { return {{label, &scale}}; }
  void options(auto& visit) { visit("label", label); }
};

Sequential one_dense() { return Sequential({Input{1}, Dense{1}}, {.seed = 1}); }

CsvDataset read_table(const std::string& text) {
  std::istringstream stream(text);
  return read_csv(stream, "t.csv");
}

TEST(StoredTexts, ThatAreNotUtf8AreRefused) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "x").string();
  const std::array<std::byte, 1> byte{};
  const RawTensor array{"a", Dtype::u8, {1}, byte}, misnamed{latin1, Dtype::u8, {1}, byte};
  const auto save_renamed = [&] {
    Sequential model = one_dense();
    model.get_layer(0).rename(latin1);
    model.save(path);
  };
  const std::vector<std::pair<const char*, std::function<void()>>> all{
      {"a layer in a list",
       [] {
         Sequential model({Input{1}, {latin1, Dense{1}}});
       }},
      {"a layer that is added",
       [] {
         one_dense().add({latin1, Dense{1}});
       }},
      {"a layer inside another", [] { Sequential model({Residual{AnyLayer(latin1, Dense{1})}}); }},
      {"a model", [] { Sequential model({Dense{1}}, {.name = latin1}); }},
      {"a layer that is renamed later", save_renamed},
      {"a parameter",
       [&] {
         Sequential model({Input{1}, NamedScale{latin1}});
         model.save_weights(path);
       }},
      {"an option of a user's layer",
       [&] {
         register_layer<NamedScale>();
         Sequential model({Input{1}, NamedScale{latin1}});
         model.save(path);
       }},
      {"another name for a layer",
       [&] {
         one_dense().save_weights(path, {.rename = {{"dense", latin1}}});
       }},
      {"a tensor of a safetensors file", [&] { write_safetensors(path, std::array{misnamed}); }},
      {"a key of its metadata",
       [&] {
         write_safetensors(path, std::array{array}, {{latin1, "x"}});
       }},
      {"its metadata",
       [&] {
         write_safetensors(path, std::array{array}, {{"x", latin1}});
       }},
      {"an encoding",
       [&] {
         CsvEncoding encoding = read_table("a,b\n1,2\n").encoding();
         encoding.features[0].name = latin1;
         encoding.save(path);
       }},
      {"a category of a model's encoding",
       [&] {
         CsvEncoding encoding = read_table("a,b\nx,2\n").encoding();
         encoding.features[0].categories[0] = latin1;
         Sequential model = one_dense();
         model.set_csv_encoding(encoding);
         model.save(path);
       }},
      {"a tag of an event file", [&] { EventFile((folder / "log").string()).write_scalar(latin1, 1, 1); }},
  };
  for (const auto& [what, act] : all) {
    SCOPED_TRACE(what);
    const std::string error = testing::error_of<ValueError>(act);
    EXPECT_NE(error.find("caf\\xe9"), std::string::npos) << error;
    EXPECT_NE(error.find("is not UTF-8"), std::string::npos) << error;
    EXPECT_EQ(error.find("JSON"), std::string::npos) << error;
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  if (has_npz()) {
    testing::expect_error<ValueError>(
        [&] { write_npz(path, std::array{misnamed}); },
        path + ": the name \"caf\\xe9\" is not UTF-8 (at byte 3); is it Latin-1? Files store text as UTF-8");
  }
}

TEST(StoredTexts, OfTablesAreRefusedOnReading) {
  const auto error = [](const std::string& table) {
    return testing::error_of<FormatError>([&] { read_table(table); });
  };
  const std::string hint =
      "\"caf\\xe9\" is not UTF-8; save the table as UTF-8 (if it is in Latin-1: iconv -f ISO-8859-1 -t UTF-8)";
  EXPECT_EQ(error(latin1 + ",b\n1,2\n"), "t.csv, line 1, column \"caf\\xe9\": " + hint);
  EXPECT_EQ(error("a,b\nx,1\n" + latin1 + ",2\n"), "t.csv, line 3, column \"a\": " + hint);
  EXPECT_EQ(error("a,b\n1,x\n2," + latin1 + "\n"), "t.csv, line 3, column \"b\": " + hint);
  std::istringstream stream("a,b," + latin1 + "\n1,2," + latin1 + "\n");
  EXPECT_EQ(read_csv(stream, "t.csv", {.target = 1, .ignored = {2}}).size(), 1) << "nothing is stored";
}

TEST(StoredTexts, MayBeAnyUtf8) {
  const testing::TemporaryFolder folder;
  const std::string odd = "é\n\x01\x7F\xC2\x85\xE2\x80\xAE/\"\\";
  Sequential model({Input{1}, {odd, Dense{1}}}, {.name = odd});
  model.save(folder / "m");
  const Sequential loaded = Sequential::load(folder / "m");
  EXPECT_EQ(loaded.name(), odd);
  EXPECT_EQ(loaded.get_layer(0).name(), odd);
  EXPECT_EQ(loaded.get_weights(), model.get_weights());
}

}  // namespace
}  // namespace cornu
