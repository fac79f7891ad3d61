#include "cornu/formats/pytorch/pytorch_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <list>
#include <map>
#include <set>
#include <sstream>

#include "cornu/formats/tensor_file.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/pickles.h"
#include "cornu/tests/support/temporary_folder.h"

// The fixtures were written by PyTorch: tests/formats/fixtures/pytorch/files.py.

namespace cornu::testing::pickles {
namespace {

using detail::FileKind;
using detail::PyTorchFile;
using detail::TensorFile;

const std::string pytorch_fixtures = source_path("tests/formats/fixtures/pytorch/");

class PyTorchFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!detail::has_zip()) GTEST_SKIP() << "built without libzip";
  }
};

/// Elements of any type as doubles.
std::vector<double> doubles(const RawTensor& tensor) {
  const auto each = [&]<class T>(T) {
    std::vector<T> elements(tensor.bytes.size() / sizeof(T));
    if (!elements.empty()) std::memcpy(elements.data(), tensor.bytes.data(), tensor.bytes.size());
    return std::vector<double>(elements.begin(), elements.end());
  };
  switch (tensor.dtype) {
    case Dtype::f64:
      return each(double{});
    case Dtype::f32:
      return each(float{});
    case Dtype::i64:
      return each(std::int64_t{});
    case Dtype::i32:
      return each(std::int32_t{});
    case Dtype::i16:
      return each(std::int16_t{});
    case Dtype::i8:
      return each(std::int8_t{});
    case Dtype::u16:
      return each(std::uint16_t{});
    case Dtype::u8:
    case Dtype::boolean:
      return each(std::uint8_t{});
    default: {
      Tensor converted({std::ssize(tensor.bytes) / size_of(tensor.dtype)});
      convert(tensor, converted);
      return {converted.begin(), converted.end()};
    }
  }
}

TEST_F(PyTorchFiles, HaveTheElementsThatPyTorchReads) {
  const std::map<std::string, Dtype> types{{"float64", Dtype::f64},   {"float32", Dtype::f32}, {"float16", Dtype::f16},
                                           {"bfloat16", Dtype::bf16}, {"int64", Dtype::i64},   {"int32", Dtype::i32},
                                           {"int16", Dtype::i16},     {"int8", Dtype::i8},     {"uint8", Dtype::u8},
                                           {"bool", Dtype::boolean}};
  std::ifstream expected(pytorch_fixtures + "values.txt");
  std::map<std::string, std::set<std::string>> seen;
  for (std::string line; std::getline(expected, line);) {
    std::istringstream words(line);
    std::string file, name, dtype, shape;
    words >> file >> name >> dtype >> shape;
    SCOPED_TRACE(file + " " + name);
    const TensorFile read(pytorch_fixtures + file);
    EXPECT_EQ(read.kind(), FileKind::pytorch);
    const RawTensor* const tensor = read.content().find(name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->dtype, types.at(dtype));
    std::string sizes;
    for (const Index size : tensor->shape) sizes += (sizes.empty() ? "" : "x") + std::to_string(size);
    EXPECT_EQ(sizes.empty() ? "scalar" : sizes, shape);
    std::vector<double> values;
    for (std::string word; words >> word;) values.push_back(std::strtod(word.c_str(), nullptr));
    EXPECT_EQ(doubles(*tensor), values);
    seen[file].insert(name);
  }
  EXPECT_EQ(seen.size(), 8U);
  for (const auto& [file, names] : seen) {
    EXPECT_EQ(TensorFile(pytorch_fixtures + file).content().tensors().size(), names.size()) << file;
  }
}

TEST_F(PyTorchFiles, ListWhatIsNotRead) {
  const TensorFile views(pytorch_fixtures + "views.pt");
  ASSERT_EQ(views.content().unread().size(), 1U);
  expect_error<FormatError>(
      [&] { views.content().find("complex"); },
      pytorch_fixtures + "views.pt: \"complex\": its element type is not supported; save it as torch.float32");
  EXPECT_EQ(views.content().unread()[0].type, "ComplexFloatStorage");
}

TEST_F(PyTorchFiles, AreRefusedWithAdvice) {
  const auto expect_refusal = [](const std::string& name, const std::string& text) {
    const std::string path = pytorch_fixtures + name;
    expect_error<FormatError>([&] { TensorFile{path}; }, path + ": " + text);
  };
  const std::string of_old =
      "this is a PyTorch checkpoint from before version 1.6; load it in PyTorch 1.6 or later and save it again: "
      "torch.save(model.state_dict(), FILE)";
  expect_refusal("legacy.pt", of_old);
  expect_refusal("legacy4.pt", of_old);
  expect_refusal("module.pt",
                 "data.pkl: byte 2: it needs Python's torch.nn.modules.container.Sequential, and Cornu runs no code "
                 "from files; in Python, torch.save(model.state_dict(), FILE) writes the weights alone");
  expect_refusal("script.pt",
                 "this is a TorchScript archive; in Python, torch.save(torch.jit.load(FILE).state_dict(), \"m.pt\") "
                 "makes a file for load_weights, and torch.onnx.export a model for onnx::load");
  expect_refusal("two.pt",
                 "data.pkl: it has several dicts of tensors: \"generator\", \"discriminator\"; in Python, "
                 "torch.save(torch.load(FILE)[\"generator\"], ...) writes one of them");
  expect_refusal("tensor.pt",
                 "data.pkl: it is a tensor, not a dict of tensors; in Python, torch.save(model.state_dict(), FILE) "
                 "writes one");
  expect_refusal("numbers.pt",
                 "data.pkl: it has no dict of tensors; in Python, torch.save(model.state_dict(), FILE) writes one");
}

TEST_F(PyTorchFiles, TheTarFormIsRefusedWithAdvice) {
  std::string tar = "sys_info";
  tar.resize(257);
  tar += std::string("ustar\0", 6) + "00";
  tar.resize(512);
  EXPECT_TRUE(error_of<FormatError>([&] {
                TensorFile(bytes_of(tar), "x");
              }).starts_with("x: this is a PyTorch checkpoint from before version 1.6; load it in PyTorch 1.6"));
}

// ---- Files put together by hand ----

const std::string floats = std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16);  // 1, 2, 3, 4

NamedTensors read_archive(const Entries& members, const std::string& folder = "archive") {
  static std::string file;
  static std::list<PyTorchFile> open;  // keeps the elements
  file = archive(members, folder);
  return open.emplace_back(bytes_of(file), "x").content();
}

NamedTensors read_dict(const Entries& entries, const std::string& storage = floats) {
  return read_archive({{"data.pkl", pickle(dict(entries))}, {"data/0", storage}});
}

/// PyTorch 2 adds members, names the folder after the file, and has an empty OrderedDict's attributes.
TEST_F(PyTorchFiles, OfPyTorch2AreRead) {
  const std::string four = storage("FloatStorage", "0", 4);
  const std::string bytes = storage(global("torch.storage", "UntypedStorage"), "1", 4);
  const std::string value =
      ordered_dict() + "(" + text("fc.weight") + tensor(four, {.sizes = {2, 2}, .strides = {2, 1}}) + text("fc.small") +
      typed_tensor(bytes, {.sizes = {2}, .strides = {1}, .offset = 1}, "float8_e4m3fn") + text("fc.ids") +
      typed_tensor(bytes, {.sizes = {2}, .strides = {1}}, "uint16") + text("fc.none") +
      tensor(storage("FloatStorage", "2", 0), {.sizes = {0}, .strides = {1}}) + "u}" + text("_metadata") +
      ordered_dict() + "(" + text("") + dict({{"version", integer(1)}}) + "usb";
  const NamedTensors file = read_archive({{"data.pkl", pickle(value)},
                                          {".format_version", "1"},
                                          {".storage_alignment", "64"},
                                          {"byteorder", "little"},
                                          {"data/0", floats},
                                          {"data/1", "\x38\x40\x38\x01"},
                                          {"data/2", ""},
                                          {"version", "3\n"},
                                          {".data/serialization_id", "0123456789"}},
                                         "net");
  EXPECT_EQ(file.tensor("fc.weight"), Tensor::matrix({{1, 2}, {3, 4}}));
  EXPECT_EQ(file.tensor("fc.small"), Tensor::vector({2, 1}));
  EXPECT_EQ(file.tensor("fc.none"), Tensor({0}));
  EXPECT_EQ(file.find("fc.ids")->dtype, Dtype::u16);
  EXPECT_EQ(doubles(*file.find("fc.ids")), (std::vector<double>{0x4038, 0x0138}));
}

TEST_F(PyTorchFiles, EntriesThatAreNotTensorsAreUnread) {
  const std::string four = storage("FloatStorage", "0", 4);
  const NamedTensors file = read_dict(
      {{"w", tensor(four, {.sizes = {4}, .strides = {1}})},
       {"epoch", integer(3)},
       {"negated", tensor(four, {.sizes = {1}, .strides = {1}}, dict({{"neg", "\x88"}}))},
       {"untyped", tensor(storage(global("torch", "UntypedStorage"), "0", 16), {.sizes = {1}, .strides = {1}})}});
  EXPECT_EQ(file.tensors().size(), 1U);
  ASSERT_EQ(file.unread().size(), 3U);
  expect_error<FormatError>([&] { file.find("epoch"); }, "x: \"epoch\": it is an int, not a tensor");
  expect_error<FormatError>([&] { file.find("negated"); },
                            "x: \"negated\": its elements are negated or conjugated on reading; save it after "
                            ".resolve_neg() and .resolve_conj()");
  expect_error<FormatError>([&] { file.find("untyped"); }, "x: \"untyped\": its element type is not known");
}

TEST_F(PyTorchFiles, ViewsOutsideTheirStorageAreRefused) {
  constexpr Index huge = std::numeric_limits<Index>::max();
  const std::string four = storage("FloatStorage", "0", 4);
  const auto expect_refusal = [&](const Strides& view, const std::string& text) {
    expect_error<FormatError>([&] { read_dict({{"w", tensor(four, view)}}); }, "x: \"w\": " + text);
  };
  const std::string beyond = "reach beyond its storage of 4 elements";
  expect_refusal({.sizes = {5}, .strides = {1}}, "sizes (5,), strides (1,) and offset 0 " + beyond);
  expect_refusal({.sizes = {4}, .strides = {1}, .offset = 1}, "sizes (4,), strides (1,) and offset 1 " + beyond);
  expect_refusal({.sizes = {}, .strides = {}, .offset = 4}, "sizes (), strides () and offset 4 " + beyond);
  expect_refusal({.sizes = {2, 2}, .strides = {2, 2}}, "sizes (2, 2), strides (2, 2) and offset 0 " + beyond);
  expect_refusal({.sizes = {2}, .strides = {huge}}, message("sizes (2,), strides ({},) and offset 0 {}", huge, beyond));
  expect_refusal({.sizes = {3, 3}, .strides = {huge, huge}},
                 message("sizes (3, 3), strides ({}, {}) and offset 0 {}", huge, huge, beyond));
  expect_refusal({.sizes = {1}, .strides = {1}, .offset = huge},
                 message("sizes (1,), strides (1,) and offset {} {}", huge, beyond));
  expect_refusal({.sizes = {huge, huge}, .strides = {0, 0}},
                 message("invalid shape ({}, {}): negative or too large", huge, huge));
  EXPECT_NE(error_of<FormatError>([&] {
              read_dict({{"w", tensor(four, {.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}})}});
            }).find("allowed for this file"),
            std::string::npos);
  // Axes of length 1 and empty tensors use no stride.
  EXPECT_EQ(read_dict({{"w", tensor(four, {.sizes = {1, 2, 1}, .strides = {huge, 1, huge}})}}).tensor("w").size(), 2);
  EXPECT_EQ(
      read_dict({{"w", tensor(four, {.sizes = {0, 3}, .strides = {huge, huge}, .offset = huge})}}).tensor("w").size(),
      0);
}

TEST_F(PyTorchFiles, StoragesThatDoNotFitAreRefused) {
  const auto of = [](const std::string& storage) {
    return Entries{{"w", tensor(storage, {.sizes = {2}, .strides = {1}})}};
  };
  expect_error<FormatError>([&] { read_dict(of(storage("FloatStorage", "0", 5))); },
                            "x: \"w\": its storage has 4 elements, the pickle says 5");
  expect_error<FormatError>([&] { read_dict(of(storage("DoubleStorage", "0", 4))); },
                            "x: \"w\": its storage has 2 elements, the pickle says 4");
  expect_error<FormatError>([&] { read_dict(of(storage("FloatStorage", "1", 4))); },
                            "x: \"w\": \"data/1\": the archive has no such member; is the file complete?");
}

TEST_F(PyTorchFiles, ArchivesOfOtherFormsAreRefused) {
  const std::string empty = pickle(dict({}));
  const auto expect_refusal = [](const Entries& members, const std::string& folder, const std::string& text) {
    expect_error<FormatError>([&] { read_archive(members, folder); }, "x: " + text);
  };
  expect_refusal(
      {{"data.pkl", empty}, {"byteorder", "big"}}, "a",
      "its byte order is \"big\"; in Python, torch.save on a little-endian machine writes a file that is read");
  expect_refusal({{"data.pkl", empty}, {"constants.pkl", empty}}, "a", detail::described(FileKind::torchscript));
  expect_refusal({{"a/data.pkl", empty}, {"b/data.pkl", empty}}, "",
                 "it has several pickles: a/data.pkl and b/data.pkl");
  expect_refusal({{"data.pkl", empty}}, "", "it has no data.pkl");
  EXPECT_EQ(read_archive({{"data.pkl", empty}}).tensors().size(), 0U);
}

TEST_F(PyTorchFiles, ADamagedMemberIsRefused) {
  std::string file = archive(
      {{"data.pkl", pickle(dict({{"w", tensor(storage("FloatStorage", "0", 4), {.sizes = {4}, .strides = {1}})}}))},
       {"data/0", floats}});
  file[file.find(floats) + 3] ^= 1;
  EXPECT_EQ(error_of<FormatError>([&] { PyTorchFile(bytes_of(file), "x"); }),
            "x: \"w\": \"data/0\": it cannot be decompressed (CRC error)");
}

TEST(PyTorchFile, NeedsLibzip) {
  if (detail::has_zip()) GTEST_SKIP() << "built with libzip";
  expect_error<FileError>(
      [] { TensorFile{pytorch_fixtures + "views.pt"}; },
      pytorch_fixtures + "views.pt: this Cornu was built without libzip, which .npz and PyTorch files need");
}

}  // namespace
}  // namespace cornu::testing::pickles
