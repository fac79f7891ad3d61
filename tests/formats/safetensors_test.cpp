#include "cornu/formats/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "cornu/core/error.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::bytes_of;
using testing::content;
using testing::error_of;
using testing::expect_error;
using testing::TemporaryFolder;

/// The bytes of a file: the header's length, the header, the data.
std::string safetensors_file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(Safetensors, FileFollowsTheSpecification) {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> bytes{7, 8, 9};
  const std::vector<double> doubles{1};
  const std::vector<std::int64_t> whole{5, 6};
  write_safetensors(folder / "a",
                    std::array<RawTensor, 3>{{{"b", Dtype::u8, {3}, bytes_of(bytes)},
                                              {"z", Dtype::f64, {}, bytes_of(doubles)},
                                              {"a", Dtype::i64, {2, 1}, bytes_of(whole)}}},
                    {{"who", "me"}});
  std::string header =
      R"({"__metadata__":{"who":"me"},"z":{"dtype":"F64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"I64","shape":[2,1],"data_offsets":[8,24]},"b":{"dtype":"U8","shape":[3],"data_offsets":[24,27]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string data(reinterpret_cast<const char*>(doubles.data()), 8);
  data.append(reinterpret_cast<const char*>(whole.data()), 16).append("\7\10\11");
  EXPECT_EQ(content(folder / "a"), safetensors_file_of(header, data));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a"});
}

class SafetensorsReading : public ::testing::TestWithParam<bool> {
 public:
  static SafetensorsFile open(const std::filesystem::path& path) {
    return SafetensorsFile(path, {.memory_map = GetParam()});
  }
};
INSTANTIATE_TEST_SUITE_P(ByMapAndByCopy, SafetensorsReading, ::testing::Bool());

TEST_P(SafetensorsReading, ConvertsEveryTypeToReal) {
  const TemporaryFolder folder;
  const std::vector<double> f64{0.5, -1e300};
  const std::vector<float> f32{0.5F, -2};
  const std::vector<std::uint16_t> f16{0x3c00, 0xc000, 0x0001, 0x8001, 0x7bff, 0x7c00, 0xfc00, 0x03ff, 0x8000};
  const std::vector<std::uint16_t> bf16{0x3f80, 0xc000, 0x7f80};
  const std::vector<std::int64_t> i64{-3, 1 << 20};
  const std::vector<std::int32_t> i32{-3, 7};
  const std::vector<std::int16_t> i16{-300, 7};
  const std::vector<std::int8_t> i8{-128, 127};
  const std::vector<std::uint64_t> u64{std::uint64_t{1} << 63, 1};
  const std::vector<std::uint32_t> u32{4294967040U, 1};
  const std::vector<std::uint16_t> u16{65535, 1};
  const std::vector<std::uint8_t> u8{255, 1};
  const std::vector<std::uint8_t> truths{1, 0};
  const std::vector<RawTensor> tensors{
      {"f64", Dtype::f64, {2}, bytes_of(f64)},      {"f32", Dtype::f32, {2}, bytes_of(f32)},
      {"f16", Dtype::f16, {9}, bytes_of(f16)},      {"bf16", Dtype::bf16, {3}, bytes_of(bf16)},
      {"i64", Dtype::i64, {2}, bytes_of(i64)},      {"i32", Dtype::i32, {2}, bytes_of(i32)},
      {"i16", Dtype::i16, {2}, bytes_of(i16)},      {"i8", Dtype::i8, {2}, bytes_of(i8)},
      {"u64", Dtype::u64, {2}, bytes_of(u64)},      {"u32", Dtype::u32, {2}, bytes_of(u32)},
      {"u16", Dtype::u16, {2}, bytes_of(u16)},      {"u8", Dtype::u8, {2}, bytes_of(u8)},
      {"b", Dtype::boolean, {2}, bytes_of(truths)}, {"none", Dtype::f32, {3, 0}, {}}};
  write_safetensors(folder / "a", tensors);
  const SafetensorsFile file = open(folder / "a");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const RawTensor& tensor : tensors) {  // the bytes are unchanged
    const RawTensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_TRUE(std::equal(found->bytes.begin(), found->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
  }
  EXPECT_EQ(file.tensor("f64"), Tensor::vector({0.5, static_cast<Real>(-1e300)}));
  EXPECT_EQ(file.tensor("f32"), Tensor::vector({0.5, -2}));
  const Tensor half = file.tensor("f16");
  EXPECT_EQ(half, Tensor::vector({1, -2, Real(0x1p-24), Real(-0x1p-24), 65504, testing::infinity, -testing::infinity,
                                  Real(1023 * 0x1p-24), 0}));
  EXPECT_TRUE(std::signbit(half[8]));
  EXPECT_EQ(file.tensor("bf16"), Tensor::vector({1, -2, testing::infinity}));
  EXPECT_EQ(file.tensor("i64"), Tensor::vector({-3, 1048576}));
  EXPECT_EQ(file.tensor("i32"), Tensor::vector({-3, 7}));
  EXPECT_EQ(file.tensor("i16"), Tensor::vector({-300, 7}));
  EXPECT_EQ(file.tensor("i8"), Tensor::vector({-128, 127}));
  EXPECT_EQ(file.tensor("u64"), Tensor::vector({Real(9223372036854775808.0), 1}));
  EXPECT_EQ(file.tensor("u32"), Tensor::vector({static_cast<Real>(4294967040.0), 1}));
  EXPECT_EQ(file.tensor("u16"), Tensor::vector({65535, 1}));
  EXPECT_EQ(file.tensor("u8"), Tensor::vector({255, 1}));
  EXPECT_EQ(file.tensor("b"), Tensor::vector({1, 0}));
  EXPECT_EQ(file.tensor("none").shape(), (Shape{3, 0}));
}

TEST_P(SafetensorsReading, KeepsNaNOfHalfPrecision) {
  const TemporaryFolder folder;
  const std::vector<std::uint16_t> f16{0x7e00, 0x7c01}, bf16{0x7fc0};
  write_safetensors(folder / "a", std::array<RawTensor, 2>{
                                      {{"h", Dtype::f16, {2}, bytes_of(f16)}, {"b", Dtype::bf16, {}, bytes_of(bf16)}}});
  const SafetensorsFile file = open(folder / "a");
  EXPECT_TRUE(std::isnan(file.tensor("h")[0]) && std::isnan(file.tensor("h")[1]));
  EXPECT_TRUE(std::isnan(file.tensor("b").item()));
}

TEST_P(SafetensorsReading, AcceptsAFileWithoutTensors) {
  const TemporaryFolder folder;
  write(folder / "a", safetensors_file_of("{}"));
  EXPECT_TRUE(open(folder / "a").tensors().empty());
  write(folder / "b", safetensors_file_of(R"({"__metadata__":{"a":"b"}}   )"));
  EXPECT_EQ(open(folder / "b").metadata(), (SafetensorsMetadata{{"a", "b"}}));
}

TEST_P(SafetensorsReading, AcceptsAnyOrderInTheHeader) {
  const TemporaryFolder folder;
  write(folder / "a",
        safetensors_file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                            R"("e":{"dtype":"U8","shape":[0,9223372036854775807,9],"data_offsets":[1,1]},)"
                            R"("b":{"shape":[1],"data_offsets":[0,1],"dtype":"U8"}})",
                            "\1\2"));
  const SafetensorsFile file = open(folder / "a");
  EXPECT_EQ(file.tensor("a").item(), 2);
  EXPECT_EQ(file.tensor("b").item(), 1);
  EXPECT_TRUE(file.find("e")->bytes.empty());
}

TEST_P(SafetensorsReading, RejectsInvalidFiles) {
  const TemporaryFolder folder;
  const std::string path = (folder / "x").string();
  const auto refused = [&](const std::string& bytes, const std::string& text) {
    write(path, bytes);
    expect_error<FormatError>([&] { open(path); }, path + ": " + text);
  };
  const auto one = [](const std::string& entries) { return safetensors_file_of("{\"a\":{" + entries + "}}", "1234"); };
  refused("", "this is an empty file; was it written or downloaded completely?");
  refused("\1\2\3\4\5\6\7", "7 bytes; a safetensors file has at least 8");
  refused(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8), "the header has 100000001 bytes; at most 100000000 are allowed");
  refused(std::string(8, '\xff'), "it begins with FF FF FF FF FF FF FF FF, which no safetensors file does");
  refused(std::string("\x03\0\0\0\0\0\0\0{}", 10), "the header has 3 bytes, but the file has 2 left");
  refused(safetensors_file_of(""), "the header does not begin with {");
  refused(safetensors_file_of(" {}"), "the header does not begin with {");
  refused(safetensors_file_of("[]"), "the header does not begin with {");
  refused(safetensors_file_of(R"({"a":1})"), "\"a\": a whole number is not allowed here");
  refused(safetensors_file_of(R"({"a":[]})"), "\"a\": a list is not allowed here");
  refused(safetensors_file_of(R"({"a":{"dtype":{}}})"), "\"a\": an object is not allowed here");
  refused(safetensors_file_of("{}", "1"), "1 bytes after the last tensor");
  refused(safetensors_file_of(R"({"__metadata__":{"a":1}})"),
          "__metadata__: \"a\" is a whole number; a string is required");
  refused(safetensors_file_of(R"({"__metadata__":{"a":{}}})"), "\"a\": an object is not allowed here");
  refused(safetensors_file_of(R"({"__metadata__":{"a":"","a":""}})"), "__metadata__: duplicate name \"a\"");
  refused(safetensors_file_of(R"({"__metadata__":{},"__metadata__":{}})"), "duplicate name \"__metadata__\"");
  refused(one(""), "\"a\": dtype, shape and data_offsets are required");
  refused(one(R"("dtype":"U8","shape":[4])"), "\"a\": dtype, shape and data_offsets are required");
  refused(one(R"("dtype":8,"shape":[4],"data_offsets":[0,4])"), "\"a\": dtype is a whole number; a string is required");
  refused(one(R"("dtype":["U8"],"shape":[4],"data_offsets":[0,4])"), "\"a\": a list is not allowed here");
  refused(one(R"("dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4])"), "\"a\": duplicate entry dtype");
  refused(one(R"("dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4])"), "\"a\": duplicate entry shape");
  refused(one(R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1)"), "\"a\": an unknown entry \"more\"");
  refused(one(R"("dtype":"U8","shape":4,"data_offsets":[0,4])"), "\"a\": a whole number is not allowed here");
  refused(one(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])"),
          "\"a\": shape has a negative number in it; non-negative integers are required");
  refused(one(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])"),
          "\"a\": shape has a number in it; non-negative integers are required");
  refused(one(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])"), "\"a\": a list is not allowed here");
  refused(one(R"("dtype":"U8","shape":[5],"data_offsets":[0,4])"), "\"a\": U8 (5,) takes 5 bytes, but it has 4");
  refused(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "\"a\": F32 (2,) takes 8 bytes, but it has 4");
  refused(one(R"("dtype":"F32","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0])"),
          "\"a\": invalid shape (4611686018427387904, 4611686018427387904, 0): negative or too large");
  refused(one(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4])"),
          "\"a\": invalid shape (4611686018427387904,): negative or too large");
  refused(one(R"("dtype":"U8","shape":[4],"data_offsets":[0])"),
          "\"a\": data_offsets has 1 numbers; begin and end are required");
  refused(one(R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])"),
          "\"a\": data_offsets has 3 numbers; begin and end are required");
  refused(one(R"("dtype":"U8","shape":[5],"data_offsets":[0,5])"), "\"a\": its bytes are 0 to 5, but the file has 4");
  refused(one(R"("dtype":"U8","shape":[3],"data_offsets":[0,3])"), "1 bytes after the last tensor");
  refused(one(R"("dtype":"U8","shape":[3],"data_offsets":[1,4])"),
          "\"a\": its bytes begin at 1, but the previous tensor ends at 0");
  const auto two = [](const std::string& first, const std::string& second) {
    return safetensors_file_of(R"({"a":{"dtype":"U8",)" + first + R"(},"b":{"dtype":"U8",)" + second + "}}", "1234");
  };
  refused(two(R"("shape":[3],"data_offsets":[0,3])", R"("shape":[2],"data_offsets":[2,4])"),
          "\"b\": its bytes begin at 2, but the previous tensor ends at 3");
  refused(two(R"("shape":[1],"data_offsets":[0,1])", R"("shape":[2],"data_offsets":[2,4])"),
          "\"b\": its bytes begin at 2, but the previous tensor ends at 1");
  refused(
      safetensors_file_of(
          R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
      "duplicate name \"a\"");
  std::string dimensions = "1";
  for (int i = 0; i < 64; ++i) dimensions += ",1";
  refused(one(R"("dtype":"U8","shape":[)" + dimensions + R"(],"data_offsets":[0,4])"),
          "\"a\": shape has more than 64 numbers");
  write(path, safetensors_file_of("{\"\xff\":1}"));
  EXPECT_TRUE(error_of<FormatError>([&] { open(path); }).starts_with(path + ": JSON: ")) << "not UTF-8";
}

TEST_P(SafetensorsReading, UnsupportedTypesDoNotBlockOtherTensors) {
  const TemporaryFolder folder;
  const std::string path = (folder / "x").string();
  write(path, safetensors_file_of(R"({"a":{"dtype":"F4","shape":[5],"data_offsets":[0,3]},)"
                                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},)"
                                  R"("c":{"dtype":"NEW\n","shape":[1,2],"data_offsets":[5,6]},)"
                                  R"("d":{"dtype":"C64","shape":[0],"data_offsets":[6,6]},)"
                                  R"("e":{"dtype":"I8","shape":[1],"data_offsets":[6,7]}})",
                                  "123\4\5"
                                  "6\7"));
  const SafetensorsFile file = open(path);
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensor("b"), Tensor::vector({4, 5}));
  EXPECT_EQ(file.tensor("e"), Tensor::vector({7}));
  ASSERT_EQ(file.unread().size(), 3U);
  EXPECT_EQ(file.unread()[0].type, "F4");
  EXPECT_EQ(file.unread()[1].shape, (std::vector<Index>{1, 2}));
  for (const auto& [name, type] : {std::pair("a", "F4"), {"c", "NEW\\u000a"}, {"d", "C64"}}) {
    const std::string text = path + ": \"" + name + "\": dtype " + type + " is not supported; save it as F32";
    expect_error<FormatError>([&, n = name] { file.find(n); }, text);
    expect_error<FormatError>([&, n = name] { file.tensor(n); }, text);
  }
  EXPECT_EQ(file.find("f"), nullptr);
  // The bytes and names of unread tensors are checked as well.
  write(path, safetensors_file_of(R"({"a":{"dtype":"F4","shape":[5],"data_offsets":[1,3]}})", "123"));
  expect_error<FormatError>([&] { open(path); },
                            path + ": \"a\": its bytes begin at 1, but the previous tensor ends at 0");
  write(path, safetensors_file_of(R"({"a":{"dtype":"F4","dtype":"U8","shape":[5],"data_offsets":[0,3]}})", "123"));
  expect_error<FormatError>([&] { open(path); }, path + ": \"a\": duplicate entry dtype");
}

TEST(Safetensors, UnreadTensorsTakeAtMostFourTimesTheFileInMemory) {
  const auto header_of = [](int count) {
    std::string header = "{";
    for (int i = 0; i < count; ++i) {
      header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"F4","shape":[0],"data_offsets":[0,0]})";
    }
    return safetensors_file_of(header + "}");
  };
  const std::string file = header_of(4'000), more = header_of(4'001);
  const testing::PeakMemory memory;
  EXPECT_EQ(SafetensorsFile(std::as_bytes(std::span(file)), "file").unread().size(), 4'000U);
  EXPECT_LT(memory.bytes(), 4 * std::ssize(file) + (Index{1} << 20));
  expect_error<FormatError>([&] { SafetensorsFile(std::as_bytes(std::span(more)), "file"); },
                            "file: more than 4000 tensors of unsupported types");
}

TEST(Safetensors, RejectsOrReadsDamagedFiles) {
  const std::vector<float> numbers{1, 2, 3};
  const std::vector<std::byte> whole =
      detail::safetensors_bytes(std::array<RawTensor, 2>{{{"a", Dtype::f32, {3}, bytes_of(numbers)},
                                                          {"b", Dtype::u8, {2, 2}, bytes_of(numbers).first(4)}}},
                                {{"m", "\"\\"}});
  const testing::Refused refused = testing::read_damaged(whole, [](const std::vector<std::byte>& bytes) {
    const SafetensorsFile file(bytes, "file");
    for (const RawTensor& tensor : file.tensors()) file.tensor(tensor.name);
  });
  EXPECT_EQ(refused.cut, std::ssize(whole));
  EXPECT_GT(refused.flipped, 2 * std::ssize(whole));
}

/// nlohmann's buffers take five times the length of a string, hence the constant.
TEST(Safetensors, LimitsTheMemoryForOneLongString) {
  const std::string text = safetensors_file_of(R"({"__metadata__":{"text":")" + std::string(8 << 20, 'x') + R"("}})");
  const testing::PeakMemory memory;
  SafetensorsFile(std::as_bytes(std::span(text)), "file");
  EXPECT_LT(memory.bytes(), 4 * std::ssize(text) + (Index{8} << 20));
}

/// The worst case: short names and no elements.
TEST(Safetensors, AHeaderTakesAtMostFourTimesItsSize) {
  std::string header = "{";
  for (int i = 0; i < 20'000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  header += "}";
  const std::string file = safetensors_file_of(header);
  const testing::PeakMemory memory;
  EXPECT_EQ(SafetensorsFile(std::as_bytes(std::span(file)), "file").tensors().size(), 20'000U);
  EXPECT_LT(memory.bytes(), 4 * std::ssize(file));

  std::string texts = R"({"__metadata__":{"":"")";
  for (int i = 0; i < 10'000; ++i) texts += ",\"" + std::to_string(i) + "\":\"\"";
  const std::string many = safetensors_file_of(texts + "}}");
  expect_error<FormatError>([&] { SafetensorsFile(std::as_bytes(std::span(many)), "file"); },
                            "file: __metadata__: more than 10000 entries");
}

TEST_P(SafetensorsReading, ReportsMissingFilesAndTensors) {
  const TemporaryFolder folder;
  const std::string path = (folder / "none").string();
  expect_error<FileError>([&] { open(path); }, path + ": cannot be opened (No such file or directory)");
  expect_error<FileError>([&] { open(folder.path()); },
                          folder.path().string() + ": this is a folder, a device or a pipe, not a file");
  write(folder / "a",
        safetensors_file_of(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "1"));
  const SafetensorsFile file = open(folder / "a");
  const std::string where = (folder / "a").string();
  expect_error<FormatError>([&] { file.tensor("b"); }, where + ": there is no tensor \"b\"");
  expect_error<FormatError>([&] { file.tensor("a"); },
                            where + ": \"a\": (1, 1, 1, 1, 1, 1, 1, 1, 1) has more than 8 dimensions");
}

TEST(Safetensors, RejectsTensorsThatCouldNotBeReadBack) {
  const TemporaryFolder folder;
  const std::string path = (folder / "a").string();
  write(path, "old");
  const std::vector<std::uint8_t> byte{1};
  const RawTensor a{"a", Dtype::u8, {1}, bytes_of(byte)};
  const auto writing = [&](std::vector<RawTensor> tensors) { return [=] { write_safetensors(path, tensors); }; };
  expect_error<ValueError>(writing({a, a}), path + ": duplicate name \"a\"");
  expect_error<ValueError>(writing({{"a", Dtype::u16, {1}, bytes_of(byte)}}),
                           path + ": \"a\": U16 (1,) takes 2 bytes, but has 1");
  expect_error<ValueError>(
      writing({{"\xff", Dtype::u8, {1}, bytes_of(byte)}}),
      path + ": the name \"\\xff\" is not UTF-8 (at byte 0); is it Latin-1? Files store text as UTF-8");
  EXPECT_NE(error_of<ValueError>(writing({{"__metadata__", Dtype::u8, {1}, bytes_of(byte)}})), "");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace cornu
