#include "cornu/formats/npy/npy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "cornu/core/error.h"
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

/// A file of version 1.
std::string npy_file_of(const std::string& header, const std::string& data = "") {
  std::string length;
  for (const std::size_t byte : {header.size() & 255, header.size() >> 8}) length += static_cast<char>(byte);
  return std::string("\x93NUMPY\1\0", 8) + length + header + data;
}

/// A file whose array has two bytes, "12".
std::string file_of_two(const std::string& shape, const std::string& descr = "'|u1'") {
  return npy_file_of("{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }\n", "12");
}

TEST(Npy, FileFollowsTheSpecification) {
  const TemporaryFolder folder;
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  write_npy(folder / "a.npy", RawTensor{"ignored", Dtype::f32, {2, 3}, std::as_bytes(std::span(numbers))});
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  header += '\n';
  const std::string data(reinterpret_cast<const char*>(numbers.data()), 24);
  EXPECT_EQ(content(folder / "a.npy"), npy_file_of(header, data));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.npy"});
  const NpyFile file(folder / "a.npy");
  EXPECT_EQ(file.array().name, "a");
  EXPECT_EQ(file.tensor(), Tensor::matrix({{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(file.path(), (folder / "a.npy").string());
}

TEST(Npy, HeaderSizeIsAMultipleOf64) {
  const TemporaryFolder folder;
  std::vector<Index> shape;
  for (int rank = 0; rank <= 64; ++rank) {  // so that every length of the header occurs
    write_npy(folder / "a", RawTensor{"a", Dtype::u8, shape, bytes_of("1").first(1)});
    const std::string written = content(folder / "a");
    EXPECT_EQ(written.size() % 64, 1u);
    EXPECT_EQ(written[written.size() - 2], '\n');
    EXPECT_EQ(NpyFile(folder / "a").array().shape, shape);
    shape.push_back(1);
  }
  expect_error<ValueError>(
      [&] {
        write_npy(folder / "a", RawTensor{"a", Dtype::u8, shape, bytes_of("1").first(1)});
      },
      (folder / "a").string() + ": \"a\": 65 dimensions; NumPy has at most 64");
}

TEST(Npy, RoundTripsTensors) {
  const TemporaryFolder folder;
  const Tensor matrix = Tensor::matrix({{1, 2}, {3, 4.5}});
  write_npy(folder / "matrix.npy", matrix);
  const NpyFile file(folder / "matrix.npy");
  EXPECT_EQ(file.array().dtype, sizeof(Real) == 8 ? Dtype::f64 : Dtype::f32);
  EXPECT_EQ(file.tensor(), matrix);
  write_npy(folder / "scalar.npy", Tensor::full({}, 7));
  EXPECT_EQ(NpyFile(folder / "scalar.npy").tensor(), Tensor::full({}, 7));
}

TEST(Npy, AcceptsOtherSpellingsOfTheHeader) {
  const auto expect_two = [](const std::string& file, const std::vector<Index>& shape) {
    const NpyFile npy(bytes_of(file), "folder/x.npy");
    EXPECT_EQ(npy.array().shape, shape) << file;
    EXPECT_EQ(npy.array().name, "x");
    EXPECT_EQ(npy.array().bytes.data(), bytes_of(file).data() + file.size() - 2) << "the bytes are not copied";
    EXPECT_EQ(npy.tensor()[0] + npy.tensor()[1], '1' + '2');
  };
  expect_two(file_of_two("(2,)"), {2});
  expect_two(file_of_two("(2L,)"), {2});
  expect_two(file_of_two("(2, 1)"), {2, 1});
  expect_two(file_of_two("(2, 1,)"), {2, 1});
  expect_two(file_of_two("( 2\t,1\n)"), {2, 1});
  expect_two(file_of_two("(2,)", "\"<u1\""), {2});
  expect_two(file_of_two("(2,)", "'>u1'"), {2});
  expect_two(npy_file_of("{'shape':(2,),'fortran_order':True,'descr':'|u1'}\n", "12"), {2});
  expect_two(npy_file_of("  {\"fortran_order\" : False , \"descr\" : \"|i1\", \"shape\": (1,2)  ,  }   \n", "12"),
             {1, 2});
  const std::string empty =
      npy_file_of("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807, 9), }\n");
  EXPECT_EQ(NpyFile(bytes_of(empty), "x").array().shape, (std::vector<Index>{0, 9223372036854775807, 9}));
}

TEST(Npy, ConvertsBigEndianAndFortranOrder) {
  const std::string data("\0\1\0\2\0\3\0\4\0\5\0\6", 12);
  const std::string file = npy_file_of("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", data);
  const NpyFile npy(bytes_of(file), "x");
  EXPECT_EQ(npy.tensor(), Tensor::matrix({{1, 3, 5}, {2, 4, 6}}));
  const std::string row_major = npy_file_of("{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }\n", data);
  EXPECT_EQ(NpyFile(bytes_of(row_major), "x").tensor(), Tensor::matrix({{1, 2, 3}, {4, 5, 6}}));
  NpyFile moved(bytes_of(file), "x");
  moved = NpyFile(bytes_of(row_major), "y");
  EXPECT_EQ(moved.tensor(), Tensor::matrix({{1, 2, 3}, {4, 5, 6}}));
}

TEST(Npy, RejectsInvalidFiles) {
  const auto refused = [](const std::string& file, const std::string& text) {
    expect_error<FormatError>([&] { const NpyFile npy(bytes_of(file), "x.npy"); }, "x.npy: " + text);
  };
  refused("", "this is an empty file; was it written or downloaded completely?");
  refused("\x93NUMPZ\1", "it begins with 93 4E 55 4D 50 5A 01, which no .npy file does");
  refused("PK\3\4", "this is a zip archive; unpack it first");
  refused("\x93NUMPY\1", "it ends before its version");
  refused(std::string("\x93NUMPY\0\0", 8), "version 0.0; 1.0, 2.0 and 3.0 are supported");
  refused("\x93NUMPY\1\2", "version 1.2; 1.0, 2.0 and 3.0 are supported");
  refused(std::string("\x93NUMPY\4\0", 8), "version 4.0; 1.0, 2.0 and 3.0 are supported");
  refused(std::string("\x93NUMPY\1\0\1", 9), "it ends before its header");
  refused(std::string("\x93NUMPY\2\0\1\0", 10), "it ends before its header");
  refused(std::string("\x93NUMPY\2\0\xff\xff\xff\xff{", 13),
          "the header has 4294967295 bytes, but the file has 1 left");
  refused(npy_file_of(""), "the header does not end with a line break");
  refused(npy_file_of("{'descr': '<f4'} "), "the header does not end with a line break");
  refused(npy_file_of("\n"), "the header has its end at byte 1; '{' is required");
  refused(npy_file_of("[]\n"), "the header has '[' at byte 0; '{' is required");
  refused(npy_file_of("{}\n"), "the header lacks \"descr\"");
  refused(npy_file_of("{'descr': '<f4', 'shape': ()}\n"), "the header lacks \"fortran_order\"");
  refused(npy_file_of("{'descr': '<f4', 'fortran_order': True}\n"), "the header lacks \"shape\"");
  refused(npy_file_of("{,}\n"), "the header has ',' at byte 1; a quoted string is required");
  refused(npy_file_of("{'descr': '<f4',, }\n"), "the header has ',' at byte 16; a quoted string is required");
  refused(npy_file_of("{'descr' '<f4'}\n"), "the header has ''' at byte 9; ':' is required");
  refused(npy_file_of("{'descr': '<f4' 'shape': ()}\n"), "the header has ''' at byte 16; '}' is required");
  refused(npy_file_of("{'descr': '<f4', 'descr': '<f4'}\n"), "the header has \"descr\" twice");
  refused(npy_file_of("{'more': 1}\n"), "the header has an unknown entry \"more\"");
  refused(npy_file_of("{'" + std::string(99, 'm') + "': 1}\n"),
          "the header has an unknown entry \"" + std::string(40, 'm') + "\"");
  refused(npy_file_of("{'descr': 4}\n"), "the header has '4' at byte 10; a quoted string is required");
  refused(npy_file_of("{'descr\n"), "the header has a byte of 10 at byte 7; a plain character is required");
  refused(npy_file_of("{'de\\x73cr': '<f4'}\n"), "the header has '\\' at byte 4; a plain character is required");
  refused(npy_file_of("{'d\xc3\xa4': '<f4'}\n"),
          "the header has a byte of 195 at byte 3; a plain character is required");
  refused(npy_file_of("{'fortran_order': 0}\n"), "the header has '0' at byte 18; True or False is required");
  refused(npy_file_of("{'descr': '<f4', 'fortran_order': Falsely}\n"),
          "the header has 'l' at byte 39; '}' is required");
  refused(npy_file_of("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} more\n", "12"),
          "the header has 'm' at byte 56; its end is required");
}

TEST(Npy, RejectsInvalidShapes) {
  const auto refused = [](const std::string& shape, const std::string& text) {
    const std::string file = file_of_two(shape);
    expect_error<FormatError>([&] { const NpyFile npy(bytes_of(file), "x"); }, "x: " + text);
  };
  refused("2", "the header has '2' at byte 50; '(' is required");
  refused("[2]", "the header has '[' at byte 50; '(' is required");
  refused("(2)", "the shape is (2), which is a number; (2,) is a tuple");
  refused("(,)", "the header has ',' at byte 51; a non-negative integer is required");
  refused("(-2,)", "the header has '-' at byte 51; a non-negative integer is required");
  refused("(+2,)", "the header has '+' at byte 51; a non-negative integer is required");
  refused("(2.0,)", "the header has '.' at byte 52; ')' is required");
  refused("(0x2,)", "the header has 'x' at byte 52; ')' is required");
  refused("(02,)", "the header has '0' at byte 51; a number without leading zeros is required");
  refused("(2 L,)", "the header has 'L' at byte 53; ')' is required");
  refused("(2,,1)", "the header has ',' at byte 53; a non-negative integer is required");
  refused("(True,)", "the header has 'T' at byte 51; a non-negative integer is required");
  refused("(9223372036854775808,)", "the shape has a number that is too large, at byte 51");
  refused("(4294967296, 4294967296)", "invalid shape (4294967296, 4294967296): negative or too large");
  std::string ones = "(";
  for (int i = 0; i < 65; ++i) ones += "1,";
  refused(ones + ")", "the shape has more than 64 dimensions");
  refused("()", "U8 () takes 1 bytes, but 2 follow the header (files with several arrays are not supported)");
  refused("(3,)", "U8 (3,) takes 3 bytes, but 2 follow the header");
  refused("(1099511627776,)", "U8 (1099511627776,) takes 1099511627776 bytes, but 2 follow the header");
}

TEST(Npy, NamesUnsupportedTypes) {
  const auto refused = [](const std::string& descr, const std::string& text) {
    const std::string file = file_of_two("(2,)", descr);
    expect_error<FormatError>([&] { const NpyFile npy(bytes_of(file), "x"); }, "x: " + text);
  };
  const std::string known = " not supported; b1, i1 to i8, u1 to u8, f2, f4 and f8 are";
  refused("'|O'", "descr '|O': Python objects are" + known);
  refused("'<U1'", "descr '<U1': text is" + known);
  refused("'|S2'", "descr '|S2': text is" + known);
  refused("'<c8'", "descr '<c8': complex numbers are" + known);
  refused("'<m8[s]'", "descr '<m8[s]': dates and durations are" + known);
  refused("'|V2'", "descr '|V2': raw bytes are" + known);
  for (const char* other : {"'<f16'", "'<i3'", "'<f'", "'<'", "''", "'<b2'", "'bfloat16'", "'< f4'"}) {
    refused(other, "descr " + std::string(other) + ": this type is" + known);
  }
  refused("'" + std::string(50, 'x') + "'", "descr '" + std::string(40, 'x') + "': this type is" + known);
  for (const char* order : {"|f4", "=f4", "!f4", "|i2"}) {
    refused("'" + std::string(order) + "'",
            "descr '" + std::string(order) + "': it must begin with the byte order, '<' or '>'");
  }
  refused("[('a', '<f4'), ('b', '<i4')]", "descr is a structure of several fields, which is not supported");
  refused("('<f4', (2,))", "descr is a structure of several fields, which is not supported");
}

TEST(Npy, RejectsOrReadsDamagedFiles) {
  const std::string whole = npy_file_of(
      "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }                                        \n",
      "abcdefghijkl");
  // On the heap, so that a sanitizer detects reads past its end.
  const std::vector<char> bytes(whole.begin(), whole.end());
  const testing::Refused refused = testing::read_damaged(
      bytes, [](const auto& damaged) { NpyFile(std::as_bytes(std::span(damaged)), "x").tensor(); });
  EXPECT_EQ(refused.cut, std::ssize(whole));
  EXPECT_GT(refused.flipped, 5 * std::ssize(whole));
}

TEST(Npy, ReportsMissingFiles) {
  const TemporaryFolder folder;
  const std::string none = (folder / "none").string(), here = folder.path().string();
  for (const bool map : {false, true}) {
    expect_error<FileError>([&] { const NpyFile npy(none, {.memory_map = map}); },
                            none + ": cannot be opened (No such file or directory)");
    expect_error<FileError>([&] { const NpyFile npy(here, {.memory_map = map}); },
                            here + ": this is a folder, a device or a pipe, not a file");
  }
  const std::string nine = file_of_two("(1, 1, 1, 1, 1, 1, 1, 1, 2)");
  expect_error<FormatError>([&] { NpyFile(bytes_of(nine), "nine.npy").tensor(); },
                            "nine.npy: \"nine\": (1, 1, 1, 1, 1, 1, 1, 1, 2) has more than 8 dimensions");
}

TEST(Npy, RejectsArraysThatNumPyCannotHold) {
  const TemporaryFolder folder;
  const std::string path = (folder / "a").string();
  std::ofstream(path) << "old";
  const std::string bytes = "1234";
  const auto refused = [&](const RawTensor& array, const std::string& text) {
    expect_error<ValueError>([&] { write_npy(path, array); }, path + ": \"w\": " + text);
  };
  refused({"w", Dtype::bf16, {2}, bytes_of(bytes)}, "NumPy has no BF16; F32 holds the same values");
  refused({"w", Dtype::u16, {3}, bytes_of(bytes)}, "U16 (3,) takes 6 bytes, but has 4");
  refused({"w", Dtype::u16, {-2}, bytes_of(bytes)}, "invalid shape (-2,): negative or too large");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a"});
  EXPECT_NE(error_of<FileError>([&] { write_npy(folder / "none" / "a", Tensor({1})); }), "");
}

}  // namespace
}  // namespace cornu
