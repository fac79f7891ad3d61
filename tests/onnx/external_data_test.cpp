#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/protobuf.h"
#include "cornu/tests/support/temporary_folder.h"

/// Initializers whose elements are in other files.
namespace cornu {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::field;
using testing::onnx_tensor;
using testing::onnx_value;
using testing::TemporaryFolder;

std::string entry(const std::string& key, const std::string& value) {
  return field(13, field(1, key) + field(2, value));
}

std::string add_node(const std::string& a, const std::string& b, const std::string& y) {
  return field(1, field(1, a) + field(1, b) + field(2, y) + field(3, y) + field(4, "Add"));
}

/// x + w + v, where w and v have two floats each at the given place.
std::string model_with(const std::string& w, const std::string& v) {
  const std::string graph = add_node("x", "w", "sum") + add_node("sum", "v", "y") +
                            field(5, onnx_tensor("w", 1, {2}, w + field(14, 1))) +
                            field(5, onnx_tensor("v", 1, {2}, v + field(14, 1))) + field(11, onnx_value("x", 1, {2})) +
                            field(12, onnx_value("y", 1, {2}));
  return field(1, 10) + field(7, graph) + field(8, field(1, "") + field(2, 21));
}

std::string place(const std::string& location, const std::string& offset = "", const std::string& length = "") {
  std::string result = entry("location", location);
  if (!offset.empty()) result += entry("offset", offset);
  if (!length.empty()) result += entry("length", length);
  return result;
}

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void write_floats(const fs::path& path, const std::vector<float>& numbers) {
  std::string bytes(numbers.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  write(path, bytes);
}

/// A folder with a model m.onnx, m.onnx.data of four floats, parts/more.data of two, and things to be refused.
class OnnxExternalData : public ::testing::Test {
 protected:
  OnnxExternalData() {
    fs::create_directory(folder_ / "model");
    fs::create_directory(folder_ / "model/parts");
    write_floats(folder_ / "model/m.onnx.data", {1, 2, 3, 4});
    write_floats(folder_ / "model/parts/more.data", {10, 20});
    write_floats(folder_ / "secret", {7, 7});
    fs::create_symlink("m.onnx.data", folder_ / "model/inside");
    fs::create_symlink("../secret", folder_ / "model/outside");
    fs::create_symlink("..", folder_ / "model/up");
  }

  fs::path model(const std::string& w, const std::string& v) const {
    write(folder_ / "model/m.onnx", model_with(w, v));
    return folder_ / "model/m.onnx";
  }
  Tensor sum(const std::string& w, const std::string& v) const {
    return onnx::load(model(w, v).string()).predict(Tensor::vector({100, 200}));
  }
  /// The error for w at this place, without the folder.
  std::string refusal(const std::string& w) const {
    const std::string file = model(w, place("m.onnx.data", "0", "8")).string(),
                      text = error_of<Error>([&] { onnx::load(file); });
    EXPECT_EQ(text.rfind(file, 0), 0U) << text;
    return text.substr(std::min(text.size(), file.size()));
  }

  TemporaryFolder folder_;
};

TEST_F(OnnxExternalData, IsReadFromTheFolderOfTheModel) {
  EXPECT_EQ(sum(place("m.onnx.data", "0", "8"), place("m.onnx.data", "8", "8")), Tensor::vector({104, 206}));
  EXPECT_EQ(sum(place("m.onnx.data", "8"), place("parts/more.data")), Tensor::vector({113, 224}));
  EXPECT_EQ(sum(place("./parts/more.data"), place("inside", "", "8")), Tensor::vector({111, 222}));
  EXPECT_EQ(sum(place("m.onnx.data", "4", "8"), place("m.onnx.data", "4", "8")), Tensor::vector({104, 206}));

  // By a path without a folder.
  const fs::path before = fs::current_path();
  model(place("m.onnx.data", "0", "8"), place("parts/more.data"));
  fs::current_path(folder_ / "model");
  EXPECT_EQ(onnx::load("m.onnx").predict(Tensor::vector({0, 0})), Tensor::vector({11, 22}));
  fs::current_path(before);
}

TEST_F(OnnxExternalData, StaysWithinTheFolderAndTheFile) {
  const auto not_inside = [](const std::string& path) {
    return ": initializer 'w': its external data is in '" + path + "'; a path inside of the model's folder is required";
  };
  for (const std::string path : {"../secret", "parts/../../secret", "/etc/passwd", "", "model/../.."}) {
    EXPECT_EQ(refusal(place(path)), not_inside(path));
  }
  EXPECT_EQ(refusal(entry("offset", "0")), not_inside(""));
  for (const std::string path : {"outside", "up/secret", "up"}) {
    EXPECT_EQ(refusal(place(path)),
              ": initializer 'w': its external data '" + path + "' is a link out of the model's folder");
  }
  EXPECT_EQ(refusal(place("m.data")),
            ": initializer 'w': its external data 'm.data' cannot be opened: No such file or "
            "directory; the file must lie in the folder of the model");
  EXPECT_NE(refusal(place("parts")).find("is a folder"), std::string::npos) << refusal(place("parts"));
  EXPECT_EQ(refusal(place("m.onnx.data", "17")),
            ": initializer 'w': its external data begins at byte 17 of 'm.onnx.data', which has 16 bytes");
  EXPECT_EQ(refusal(place("m.onnx.data", "12", "8")),
            ": initializer 'w': its external data is bytes 12 to 12 + 8 of 'm.onnx.data', which has 16 bytes");
  EXPECT_EQ(
      refusal(place("m.onnx.data", "8", "18446744073709551615")),
      ": initializer 'w': its external data is bytes 8 to 8 + 18446744073709551615 of 'm.onnx.data', which has 16 "
      "bytes");
  for (const std::string number : {"-1", "1e3", "99999999999999999999", " 0", "0x8"}) {
    EXPECT_EQ(refusal(place("m.onnx.data", number)),
              ": initializer 'w': the offset of its external data is '" + number + "', not a number");
  }
  EXPECT_EQ(refusal(place("m.onnx.data", "0", "4")), ": initializer 'w': shape (2,) has 2 elements, the file has 1");
  EXPECT_EQ(refusal(place("m.onnx.data", "0", "7")),
            ": initializer 'w': its external data has 7 bytes, not a multiple of 4");
  EXPECT_EQ(refusal(place("m.onnx.data", "0", "8") + field(9, std::string(8, '\0'))),
            ": initializer 'w': it has elements both here and in another file");
}

TEST_F(OnnxExternalData, IsNotReadForAModelInMemory) {
  const std::string bytes = model_with(place("m.onnx.data", "0", "8"), place("m.onnx.data", "8", "8"));
  EXPECT_EQ(
      error_of<FormatError>([&] { onnx::parse(bytes, "m"); }),
      "m: initializer 'w': its elements are in the file 'm.onnx.data' (external data), but the model was read from "
      "memory; load it from its file, beside which that one must lie");
}

/// Many initializers may name the same bytes: what they take together is bounded by the sizes of the files.
TEST_F(OnnxExternalData, TakesBoundedMemory) {
  constexpr std::uint64_t count = 1 << 20;
  write_floats(folder_ / "model/m.onnx.data", std::vector<float>(count));
  std::string graph = add_node("x", "x", "y") + field(11, onnx_value("x", 1, {2})) + field(12, onnx_value("y", 1, {2}));
  for (int i = 0; i < 100; ++i) {
    graph += field(5, onnx_tensor("w" + std::to_string(i), 1, {count}, place("m.onnx.data") + field(14, 1)));
  }
  write(folder_ / "model/many.onnx", field(1, 10) + field(7, graph) + field(8, field(1, "") + field(2, 21)));
  const std::string text = error_of<FormatError>([&] { onnx::load((folder_ / "model/many.onnx").string()); });
  EXPECT_NE(text.find("reading it would take more than 8 times its size in memory"), std::string::npos) << text;
}

}  // namespace
}  // namespace cornu
