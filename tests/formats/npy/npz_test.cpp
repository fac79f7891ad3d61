#include "cornu/formats/npy/npz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "cornu/core/error.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/zip.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::bytes_of;
using testing::content;
using testing::error_of;
using testing::expect_error;
using testing::TemporaryFolder;

class Npz : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
  }

  std::string written(std::span<const RawTensor> arrays, bool compressed) const {
    write_npz(folder / "a.npz", arrays, {.compressed = compressed});
    return content(folder / "a.npz");
  }
  /// Two small arrays.
  std::string small(bool compressed) const {
    return written(std::array<RawTensor, 2>{{{"x", Dtype::f32, {2, 3}, std::as_bytes(std::span(numbers))},
                                             {"y", Dtype::u8, {2}, std::as_bytes(std::span(numbers)).first(2)}}},
                   compressed);
  }

  const TemporaryFolder folder;
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
};

TEST_F(Npz, KeepsTheOrderOfArrays) {
  for (const bool compressed : {false, true}) {
    small(compressed);
    const NpzFile file(folder / "a.npz");
    ASSERT_EQ(file.arrays().size(), 2u);
    EXPECT_EQ(file.arrays()[0].name, "x");
    EXPECT_EQ(file.arrays()[1].name, "y");
    EXPECT_EQ(file.tensor("x"), Tensor::matrix({{1, 2, 3}, {4, 5, 6}}));
    EXPECT_EQ(file.array("y").dtype, Dtype::u8);
    EXPECT_EQ(file.find("z"), nullptr);
    const std::string path = (folder / "a.npz").string();
    EXPECT_EQ(file.path(), path);
    expect_error<FormatError>([&] { file.tensor("z"); }, path + ": there is no array \"z\"; there are: x, y");
    EXPECT_EQ(folder.names(), std::vector<std::string>{"a.npz"});
  }
}

/// An array of any type, as NumPy writes it.
std::string npy_of(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string header = "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\1\0v\0", 10) + header + '\n' + data;
}

TEST_F(Npz, UnsupportedTypesDoNotBlockOtherArrays) {
  struct Other {
    const char *descr, *type, *what;
  };
  constexpr std::array<Other, 8> others{{{"'<U5'", "<U5", "text is"},
                                         {"'|S3'", "|S3", "text is"},
                                         {"'|O'", "|O", "Python objects are"},
                                         {"'<c8'", "<c8", "complex numbers are"},
                                         {"'<M8[ns]'", "<M8[ns]", "dates and durations are"},
                                         {"'|V2'", "|V2", "raw bytes are"},
                                         {"'<f16'", "<f16", "this type is"},
                                         {"[('a', '<f4'), ('b', '<i8', (2,))]", "structure", ""}}};
  for (const Other& other : others) {
    SCOPED_TRACE(other.descr);
    const std::string x = npy_of("'<f4'", "(1,)", std::string("\0\0\x80\x3f", 4)),
                      names = npy_of(other.descr, "(2,)", "anything");
    const std::array<detail::ZipMember, 2> members{{{.name = "names.npy", .head = bytes_of(names), .body = {}},
                                                    {.name = "x.npy", .head = bytes_of(x), .body = {}}}};
    const std::vector<std::byte> zip = detail::zip_file(members, true);
    const NpzFile file(zip, "f.npz");
    ASSERT_EQ(file.arrays().size(), 1U);
    EXPECT_EQ(file.tensor("x"), Tensor::vector({1}));
    ASSERT_EQ(file.unread().size(), 1U);
    EXPECT_EQ(file.unread()[0].name, "names");
    EXPECT_EQ(file.unread()[0].type, other.type);
    const std::string text = *other.what == '\0'
                                 ? "f.npz: \"names\": descr is a structure of several fields, which is not supported"
                                 : "f.npz: \"names\": descr '" + std::string(other.type) + "': " + other.what +
                                       " not supported; b1, i1 to i8, u1 to u8, f2, f4 and f8 are";
    expect_error<FormatError>([&] { file.find("names"); }, text);
    expect_error<FormatError>([&] { file.array("names"); }, text);
    expect_error<FormatError>([&] { file.tensor("names"); }, text);
    expect_error<FormatError>([&] { NpyFile(bytes_of(names), "n.npy"); }, "n.npy: " + text.substr(16));
  }
  // An array that breaks its format is still an error.
  const std::string broken = npy_of("'<f4'", "(2,)", "1234");
  const std::array<detail::ZipMember, 1> member{{{.name = "x.npy", .head = bytes_of(broken), .body = {}}}};
  expect_error<FormatError>([&] { NpzFile(detail::zip_file(member, false), "f.npz"); },
                            "f.npz: \"x\": F32 (2,) takes 8 bytes, but 4 follow the header");
}

TEST_F(Npz, EqualArraysGiveEqualFiles) {
  const char* const old = std::getenv("TZ");
  const std::string zone = old == nullptr ? "" : old;
  for (const bool compressed : {false, true}) {
    const std::string first = small(compressed);
    setenv("TZ", "Pacific/Auckland", 1);
    tzset();
    EXPECT_EQ(small(compressed), first);
    old == nullptr ? unsetenv("TZ") : setenv("TZ", zone.c_str(), 1);
    tzset();
    EXPECT_EQ(first.substr(10, 4), std::string("\0\0\x21\0", 4)) << "1980-01-01, 00:00";
  }
}

TEST_F(Npz, CompressionMakesTheFileSmaller) {
  const std::vector<std::byte> zeros(1 << 20);
  const RawTensor array{"zeros", Dtype::u8, {1 << 20}, zeros};
  EXPECT_GT(written(std::span(&array, 1), false).size(), zeros.size());
  EXPECT_LT(written(std::span(&array, 1), true).size(), zeros.size() / 500);
  EXPECT_TRUE(std::ranges::equal(NpzFile(folder / "a.npz").array("zeros").bytes, zeros));
}

TEST_F(Npz, LimitsTheDecompressedSize) {
  const std::vector<std::byte> zeros(1 << 20);
  const std::array<RawTensor, 2> arrays{{{"a", Dtype::u8, {1 << 20}, zeros}, {"b", Dtype::u8, {1 << 20}, zeros}}};
  const std::uint64_t each = (1 << 20) + 128;  // with its header
  for (const bool compressed : {false, true}) {
    const std::string file = written(arrays, compressed);
    EXPECT_EQ(NpzFile(bytes_of(file), "x", {.size_limit = 2 * each}).arrays().size(), 2u);
    expect_error<FormatError>([&] { NpzFile(bytes_of(file), "x", {.size_limit = 2 * each - 1}); },
                              "x: \"b\": it takes 1048704 bytes, but .size_limit leaves 1048703");
  }
}

/// Overwrites four bytes at an offset from a text, for the sizes in a zip file's headers.
void poke(std::string& file, const std::string& text, std::size_t offset, std::uint32_t number) {
  const std::size_t at = file.find(text);
  ASSERT_NE(at, std::string::npos);
  std::memcpy(file.data() + at + offset, &number, 4);
}

TEST_F(Npz, AllocatesOnlyAsDataAreDecompressed) {
  constexpr std::uint32_t claimed = 3u << 30;
  for (const bool compressed : {false, true}) {
    std::string file = small(compressed);
    poke(file, "PK\3\4", 22, claimed);
    poke(file, "PK\1\2", 24, claimed);
    const testing::PeakMemory memory;
    const std::string text = error_of<FormatError>([&] { NpzFile(bytes_of(file), "x"); });
    EXPECT_TRUE(text.starts_with("x: \"x\": it ")) << text;
    EXPECT_LT(memory.bytes(), 10'000);
  }
}

TEST_F(Npz, RejectsDamagedFiles) {
  const auto refused = [](const std::string& file, const std::string& text) {
    expect_error<FormatError>([&] { NpzFile(bytes_of(file), "x.npz"); }, "x.npz: " + text);
  };
  refused("", "this is an empty file; was it written or downloaded completely?");
  refused("\1\2\3\4", "it begins with 01 02 03 04, which no .npz file does");
  refused("\x93NUMPY", "this is a .npy array; NpyFile reads it");
  const std::string stored = small(false);
  std::string file = stored;
  file[file.find("\x93NUMPY") + 128] ^= 1;
  refused(file, "\"x\": it cannot be decompressed (CRC error)");
  file = small(true);
  file[file.find("x.npy") + 5] = 7;  // a block type that deflate does not have
  refused(file, "\"x\": it cannot be decompressed (Zlib error: data error)");
  expect_error<FileError>([&] { NpzFile(folder / "none"); },
                          (folder / "none").string() + ": cannot be opened (No such file or directory)");
  file = stored;
  file.replace(file.rfind("x.npy"), 5, "y.npy");
  refused(file, "duplicate name \"y\"");
}

TEST_F(Npz, RejectsOverlappingMembers) {
  const std::vector<std::byte> zeros(1000);
  std::string file = written(
      std::array<RawTensor, 2>{{{"x", Dtype::u8, {1000}, zeros}, {"y", Dtype::u8, {1}, std::span(zeros).first(1)}}},
      false);
  const std::size_t first = file.find("PK\1\2"), second = file.find("PK\1\2", first + 1);
  file.replace(second + 16, 12, file.substr(first + 16, 12));  // the checksum and the sizes
  file.replace(second + 42, 4, file.substr(first + 42, 4));    // the position
  expect_error<FormatError>(
      [&] { NpzFile(bytes_of(file), "x.npz"); },
      "x.npz: its members take more than the " + std::to_string(file.size()) + " bytes of the file");
}

class NpzDamage : public Npz, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(StoredAndCompressed, NpzDamage, ::testing::Bool());

TEST_P(NpzDamage, RejectsOrReadsDamagedFiles) {
  const std::string whole = small(GetParam());
  const NpzFile good(bytes_of(whole), "good");
  // On the heap, so that a sanitizer detects reads past its end.
  const std::vector<char> bytes(whole.begin(), whole.end());
  const testing::Refused refused = testing::read_damaged(bytes, [&](const auto& damaged) {
    const NpzFile file(std::as_bytes(std::span(damaged)), "x");
    for (std::size_t i = 0; i < file.arrays().size(); ++i) {  // the checksums have covered all bytes
      EXPECT_TRUE(std::ranges::equal(file.arrays()[i].bytes, good.arrays()[i].bytes));
      file.tensor(file.arrays()[i].name);
    }
  });
  EXPECT_EQ(refused.cut, std::ssize(whole));
  EXPECT_GT(refused.flipped, 2 * std::ssize(whole));
}

TEST_F(Npz, RejectsArraysThatCouldNotBeReadBack) {
  const std::string path = (folder / "a.npz").string();
  std::ofstream(path) << "old";
  const std::vector<std::byte> byte(1);
  const auto refused = [&](const std::vector<RawTensor>& arrays, const std::string& text) {
    expect_error<ValueError>([&] { write_npz(path, arrays); }, path + ": " + text);
  };
  const RawTensor a{"a", Dtype::u8, {1}, byte};
  refused({a, a}, "duplicate name \"a\"");
  refused({{"a", Dtype::u16, {1}, byte}}, "\"a\": U16 (1,) takes 2 bytes, but has 1");
  refused({{"a", Dtype::bf16, {0}, {}}}, "\"a\": NumPy has no BF16; F32 holds the same values");
  refused({{std::string("a\0b", 3), Dtype::u8, {1}, byte}}, "\"a\" is not a valid name (a NUL character follows)");
  refused({{"\xff", Dtype::u8, {1}, byte}},
          "the name \"\\xff\" is not UTF-8 (at byte 0); is it Latin-1? Files store text as UTF-8");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.npz"});
  EXPECT_NE(error_of<FileError>([&] { write_npz(folder / "none" / "a", std::span(&a, 1)); }), "");
}

TEST(NpzWithoutLibzip, IsReported) {
  if (has_npz()) GTEST_SKIP() << "built with libzip";
  const TemporaryFolder folder;
  const std::string path = (folder / "a.npz").string();
  const std::string text = ": this Cornu was built without libzip, which .npz and PyTorch files need";
  expect_error<FileError>([&] { NpzFile(bytes_of("PK"), "x"); }, "x" + text);
  expect_error<FileError>([&] { write_npz(path, {}); }, path + text);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace cornu
