#include "cornu/formats/idx.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/formats/gzip.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::Bytes;
using testing::error_of;
using testing::TemporaryFolder;

Bytes bytes(std::initializer_list<int> values) {
  Bytes result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

IdxArray parse(const Bytes& file, const IdxReadOptions& options = {}) { return read_idx_bytes(file, "file", options); }

std::string format_error(const Bytes& file, const IdxReadOptions& options = {}) {
  return error_of<FormatError>([&] { parse(file, options); });
}

Bytes byte_content(const std::filesystem::path& path) {
  const std::string text = testing::content(path);
  const auto view = testing::bytes_of(text);
  return {view.begin(), view.end()};
}

template <class T>
std::vector<T> edges() {
  using Limits = std::numeric_limits<T>;
  return {T{0}, T{1}, static_cast<T>(Limits::lowest()), Limits::max(), Limits::min(), T{100}};
}

std::vector<IdxArray> one_of_every_type() {
  const std::vector<Index> dimensions{2, 3};
  auto f64 = edges<double>();
  f64[5] = -std::numeric_limits<double>::infinity();
  return {{dimensions, edges<std::uint8_t>()}, {dimensions, edges<std::int8_t>()}, {dimensions, edges<std::int16_t>()},
          {dimensions, edges<std::int32_t>()}, {dimensions, edges<float>()},       {dimensions, f64}};
}

const IdxArray small{{2, 2}, std::vector<std::uint8_t>{1, 2, 3, 4}};

TEST(Idx, ReadsTheBytesOfTheSpecification) {
  const IdxArray array = parse(bytes({0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0x01, 0x02, 0xFF, 0xFE}));
  EXPECT_EQ(array, (IdxArray{{2, 1}, std::vector<std::int16_t>{258, -2}}));
  EXPECT_EQ(array.magic(), 0x0B02u);
  EXPECT_EQ(array.size(), 2);
  EXPECT_STREQ(type_name(array.data), "i16");
}

TEST(Idx, WritesTheBytesOfTheSpecification) {
  EXPECT_EQ(detail::idx_bytes({{1}, std::vector<float>{1.5F}}, false),
            bytes({0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0}));
  EXPECT_EQ(detail::idx_bytes(small, false), bytes({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4}));
}

TEST(Idx, RoundTripsEveryType) {
  const TemporaryFolder folder;
  for (const IdxArray& array : one_of_every_type()) {
    for (const char* name : {"raw", "packed.gz"}) {
      write_idx(folder / name, array);
      EXPECT_EQ(read_idx(folder / name), array) << type_name(array.data) << " " << name;
    }
  }
  EXPECT_EQ(folder.names().size(), 2u) << "and leaves nothing else behind";
}

TEST(Idx, CompressesByNameByDefaultAndReadsByContent) {
  const TemporaryFolder folder;
  write_idx(folder / "a.gz", small);
  write_idx(folder / "raw_in_spite_of_its_name.gz", small, {.gzip = false});
  write_idx(folder / "packed", small, {.gzip = true});
  EXPECT_TRUE(detail::is_gzip(byte_content(folder / "a.gz")));
  EXPECT_TRUE(detail::is_gzip(byte_content(folder / "packed")));
  EXPECT_EQ(byte_content(folder / "raw_in_spite_of_its_name.gz"), detail::idx_bytes(small, false));
  for (const std::string& name : folder.names()) EXPECT_EQ(read_idx(folder / name), small) << name;
}

TEST(Idx, SupportsEmptyArraysScalarsAndManyDimensions) {
  const std::vector<std::uint8_t> none, one{7};
  for (const IdxArray& array : {IdxArray{{0}, none}, IdxArray{{5, 0, 28}, none}, IdxArray{{}, one},
                                IdxArray{std::vector<Index>(255, 1), one}}) {
    EXPECT_EQ(parse(detail::idx_bytes(array, false)), array);
    EXPECT_EQ(parse(detail::idx_bytes(array, true)), array);
  }
}

TEST(Idx, ConvertsToAndFromTensors) {
  EXPECT_EQ(to_tensor({{2, 1}, std::vector<std::int16_t>{258, -2}}), Tensor::matrix({{258}, {-2}}));
  const Tensor tensor = Tensor::matrix({{0.5, -1}, {2, 3}});
  const IdxArray array = to_idx(tensor);
  EXPECT_EQ(array.magic(), sizeof(Real) == 4 ? 0x0D02u : 0x0E02u);
  EXPECT_EQ(to_tensor(parse(detail::idx_bytes(array, true))), tensor);
  EXPECT_EQ(to_tensor(to_idx(Tensor::scalar(3))), Tensor::scalar(3));
  EXPECT_EQ(error_of<ShapeError>([] {
              to_tensor({{2}, std::vector<float>{1}});
            }),
            "to_tensor: dimensions (2,) need 2 elements, the array has 1");
  EXPECT_THROW(to_tensor({std::vector<Index>(9, 1), std::vector<float>{1}}), ShapeError);
}

TEST(Idx, RejectsAnIntegerThatWouldBeRounded) {
  constexpr std::int32_t most = 1 << 24;
  const IdxArray exact{{1, 2}, std::vector<std::int32_t>{-most, most + 2}},
      odd{{1, 2}, std::vector<std::int32_t>{0, most + 1}};
  EXPECT_EQ(to_tensor(exact), Tensor::matrix({{-most, static_cast<Real>(most + 2)}}));
  if (sizeof(Real) == sizeof(double)) {
    EXPECT_EQ(to_tensor(odd)[1], most + 1);
  } else {
    EXPECT_EQ(error_of<FormatError>([&] { to_tensor(odd); }),
              "\"to_tensor\": the integer 16777217 at (0, 1) cannot be represented exactly in a float, which is exact "
              "up to 2^24; store the array as floats if rounding is acceptable");
  }
}

TEST(Idx, ReportsInvalidHeaders) {
  EXPECT_EQ(format_error({}), "file: this is an empty file; was it written or downloaded completely?");
  EXPECT_EQ(format_error(bytes({0, 0, 8})),
            "file: the file ends inside its magic number (truncated, or not an IDX file?)");
  EXPECT_EQ(format_error(bytes({0, 0, 8, 2, 0, 0, 0, 2, 0, 0})),
            "file: the file ends inside its dimensions (truncated, or not an IDX file?)");
  EXPECT_EQ(format_error(bytes({1, 0x2A, 8, 0})), "file: the first bytes are 01 2A, an IDX file begins with 00 00");
  EXPECT_EQ(format_error(bytes({'<', 'h', 't', 'm', 'l', '>'})),
            "file: this is a web page; the download returned a page about the file, not the file itself");
  EXPECT_EQ(format_error(bytes({'P', 'K', 3, 4})), "file: this is a zip archive; unpack it first");
  EXPECT_EQ(format_error(bytes({0, 0, 0x0A, 1, 0, 0, 0, 0})),
            "file: element type 0A; IDX has 08 (u8), 09 (i8), 0B (i16), 0C (i32), 0D (f32) and 0E (f64)");
}

TEST(Idx, ReportsTooFewOrTooManyElements) {
  const Bytes raw = detail::idx_bytes(small, false);
  EXPECT_EQ(format_error(Bytes(raw.begin(), raw.end() - 1)),
            "file: dimensions (2, 2) of u8 need 4 bytes, the file has exactly 3");
  EXPECT_EQ(format_error(raw + bytes({0})), "file: dimensions (2, 2) of u8 need 4 bytes, the file has exactly 5");
  EXPECT_EQ(format_error(detail::gzip_compressed(Bytes(raw.begin(), raw.end() - 1))),
            "file: dimensions (2, 2) of u8 need 4 bytes, the file has 3");
  EXPECT_EQ(format_error(detail::gzip_compressed(raw + bytes({0}))),
            "file: dimensions (2, 2) of u8 need 4 bytes, the file has more");
}

TEST(Idx, RejectsSizesThatOverflowOrExceedTheLimit) {
  const Bytes huge = bytes({0xFF, 0xFF, 0xFF, 0xFF});
  EXPECT_EQ(format_error(bytes({0, 0, 8, 3}) + huge + huge + huge),
            "file: dimensions (4294967295, 4294967295, 4294967295): the number of elements overflows");
  EXPECT_EQ(format_error(bytes({0, 0, 8, 4, 0, 0, 0, 0}) + huge + huge + huge),
            "file: dimensions (0, 4294967295, 4294967295, 4294967295): the number of elements overflows");
  EXPECT_EQ(format_error(bytes({0, 0, 0x0E, 2}) + huge + bytes({0x7F, 0xFF, 0xFF, 0xFF})),
            "file: dimensions (4294967295, 2147483647) of f64 need too many bytes, more than the limit of 4294967296");
  EXPECT_EQ(format_error(bytes({0, 0, 8, 2}) + huge + bytes({0, 0, 0, 2})),
            "file: dimensions (4294967295, 2) of u8 need 8589934590 bytes, more than the limit of 4294967296");
  EXPECT_EQ(format_error(detail::idx_bytes(small, true), {.size_limit = 3}),
            "file: dimensions (2, 2) of u8 need 4 bytes, more than the limit of 3");
  EXPECT_EQ(parse(detail::idx_bytes(small, true), {.size_limit = 4}), small);
}

TEST(Idx, DoesNotAllocateByTheHeaderAlone) {
  // The header claims 1 GiB; a few bytes follow.
  const Bytes raw = bytes({0, 0, 8, 1, 0x40, 0, 0, 0, 1, 2, 3});
  EXPECT_EQ(format_error(raw), "file: dimensions (1073741824,) of u8 need 1073741824 bytes, the file has exactly 3");
  EXPECT_NE(format_error(detail::gzip_compressed(raw)).find("need 1073741824 bytes, the file has at most "),
            std::string::npos);
}

TEST(Idx, StopsADecompressionBomb) {
  const Bytes header = bytes({0, 0, 8, 1, 0, 0, 0, 4});
  const Bytes bomb = detail::gzip_compressed(header + Bytes(std::size_t{64} << 20));
  EXPECT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(format_error(bomb), "file: dimensions (4,) of u8 need 4 bytes, the file has more");
}

TEST(Idx, ReadsConsecutiveGzipMembersAsOneStream) {
  const Bytes raw = detail::idx_bytes(small, false);
  const Bytes front(raw.begin(), raw.begin() + 5), back(raw.begin() + 5, raw.end());
  using detail::gzip_compressed;
  EXPECT_EQ(parse(gzip_compressed(front) + gzip_compressed({}) + gzip_compressed(back)), small);
  EXPECT_EQ(format_error(gzip_compressed(raw) + gzip_compressed(raw)),
            "file: dimensions (2, 2) of u8 need 4 bytes, the file has more");
}

TEST(Idx, RejectsDamagedGzipData) {
  const Bytes packed = detail::idx_bytes(small, true);
  EXPECT_EQ(format_error(Bytes(packed.begin(), packed.end() - 1)),
            "file: the gzip data are cut off (an interrupted download?)");
  EXPECT_EQ(format_error(packed + bytes({1, 2, 3})), "file: 3 bytes follow the end of the gzip data");
  Bytes wrong_crc = packed;
  wrong_crc[packed.size() - 8] ^= std::byte{1};
  EXPECT_EQ(format_error(wrong_crc), "file: the gzip data are damaged (incorrect data check)");
  Bytes wrong_size = packed;
  wrong_size[packed.size() - 1] ^= std::byte{1};
  EXPECT_EQ(format_error(wrong_size), "file: the gzip data are damaged (incorrect length check)");
}

TEST(Idx, ThrowsOrReadsTheSameSizeForDamagedFiles) {
  for (const IdxArray& array : one_of_every_type()) {
    for (const bool gzip : {false, true}) {
      const Bytes whole = detail::idx_bytes(array, gzip);
      const testing::Refused refused = testing::read_damaged(whole, [&](const Bytes& damaged) {
        const IdxArray parsed = parse(damaged);
        // A gzip file has a checksum: if the flip is accepted, the content is unchanged.
        EXPECT_TRUE(gzip ? parsed == array : parsed.dimensions == array.dimensions);
      });
      EXPECT_EQ(refused.cut, std::ssize(whole));
    }
  }
}

TEST(Idx, NamesAFileThatCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of<FileError>([&] { read_idx(folder / "none"); }),
            (folder / "none").string() + ": cannot be found (No such file or directory)");
  EXPECT_EQ(error_of<FileError>([&] { read_idx(folder.path()); }),
            folder.path().string() + ": this is a folder, a device or a pipe, not a file");
  EXPECT_THROW(read_idx("/dev/zero"), FileError);
  write_idx(folder / "small", small);
  EXPECT_EQ(error_of<FileError>([&] { read_idx(folder / "small", {.size_limit = 15}); }),
            (folder / "small").string() + ": the file has 16 bytes, more than the limit of 15");
  std::filesystem::resize_file(folder / "small", 15);
  EXPECT_EQ(error_of<FormatError>([&] { read_idx(folder / "small"); }),
            (folder / "small").string() + ": dimensions (2, 2) of u8 need 4 bytes, the file has exactly 3");
}

TEST(Idx, RejectsArraysThatTheFormatCannotHold) {
  EXPECT_EQ(error_of<ShapeError>([] {
              detail::idx_bytes({{3}, std::vector<float>{1}}, false);
            }),
            "write_idx: the product of the dimensions (3,) is not the number of elements, 1");
  EXPECT_EQ(error_of<ValueError>([] {
              detail::idx_bytes({std::vector<Index>(256, 1), std::vector<float>{1}}, false);
            }),
            "write_idx: 256 dimensions; IDX has at most 255");
  EXPECT_EQ(error_of<ValueError>([] {
              detail::idx_bytes({{0, Index{1} << 32}, std::vector<float>{}}, false);
            }),
            "write_idx: dimensions (0, 4294967296); each must be from 0 to 4294967295");
  EXPECT_THROW(detail::idx_bytes({{-1, -1}, std::vector<float>{1}}, false), ValueError);
}

TEST(Idx, NamesAFileThatCannotBeWrittenAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto path = folder / "none" / "file";
  EXPECT_EQ(error_of<FileError>([&] { write_idx(path, small); }),
            path.string() + ": cannot create a file in its folder (No such file or directory)");
  std::filesystem::create_directories(folder / "taken" / "inside");
  EXPECT_EQ(error_of<FileError>([&] { write_idx(folder / "taken", small); }),
            (folder / "taken").string() + ": this is a folder, a device or a pipe, not a file");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"taken"});
}

TEST(Idx, ReplacesNoPipeOrDevice) {
  const TemporaryFolder folder;
  const auto path = folder / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of<FileError>([&] { write_idx(path, small); }),
            path.string() + ": this is a folder, a device or a pipe, not a file");
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"pipe"});
}

TEST(Idx, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  write_idx(folder / "file", small);
  // A limit on the file size simulates a full disk.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string text = error_of<FileError>([&] {
    write_idx(folder / "file", {{2000}, std::vector<std::uint8_t>(2000)}, {.gzip = false});
  });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  EXPECT_EQ(text, (folder / "file").string() + ": cannot be written (File too large)");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"file"});
  EXPECT_EQ(read_idx(folder / "file"), small);
}

}  // namespace
}  // namespace cornu
