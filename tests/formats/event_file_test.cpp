#include "cornu/formats/event_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "cornu/core/error.h"
#include "cornu/formats/crc32c.h"
#include "cornu/tests/formats/event_reader.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::Event;
using testing::read_events;
using testing::TemporaryFolder;

/// RFC 3720, appendix B.4.
TEST(CRC32C, MatchesTheRFC) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c(up), 0x46DD794EU);
  EXPECT_EQ(crc32c(down), 0x113FDB5CU);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(EventFile, BeginsWithItsVersion) {
  const TemporaryFolder folder;
  const EventFile file(folder / "logs/train");
  const std::vector<Event> events = read_events(file.path());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  EXPECT_NE(file.path().find("tfevents"), std::string::npos) << "TensorBoard looks for this name";
  EXPECT_NE(EventFile(folder / "logs/train").path(), file.path()) << "each EventFile writes a new file";
}

TEST(EventFile, WritesScalarsInTensorBoardsFormat) {
  const TemporaryFolder folder;
  const EventFile file(folder.path());
  file.write_scalar("epoch_loss", 0.25, 0);
  file.write_scalar("epoch_loss", -3, 300);
  const std::vector<Event> events = read_events(file.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].tag, "epoch_loss");
  EXPECT_EQ(events[1].value, 0.25F);
  EXPECT_EQ(events[1].step, 0);
  EXPECT_EQ(events[2].value, -3);
  EXPECT_EQ(events[2].step, 300);
  EXPECT_GE(events[2].wall_time, events[0].wall_time);
}

TEST(EventFile, WritesTheBytesOfTheSpecification) {
  const TemporaryFolder folder;
  const EventFile file(folder.path());
  file.write_scalar("a", 1, 2);
  std::ifstream stream(file.path(), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  bytes = bytes.substr(bytes.size() - 16 - 23);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x17\0\0\0\0\0\0\0", 8));
  std::string event = bytes.substr(12, 23);
  EXPECT_EQ(event[0], '\x09') << "field 1, eight bytes: the time";
  // Field 2, a number: 2. Field 5, 10 bytes: field 1, 8 bytes: field 1, "a"; field 2, four bytes: 1.0F.
  EXPECT_EQ(event.substr(9), std::string("\x10\x02\x2A\x0A\x0A\x08\x0A\x01"
                                         "a\x15\0\0\x80\x3F",
                                         14));
}

TEST(EventFile, WritesHistogramsInTensorBoardsFormat) {
  const TemporaryFolder folder;
  const EventFile file(folder.path());
  Tensor values(Shape{61});
  for (Index i = 0; i < 61; ++i) values[i] = static_cast<Real>(i) / 2 - 10;  // -10 to 20, two to a bucket
  file.write_histogram("dense/kernel/histogram", values, 7);
  const std::vector<Event> events = read_events(file.path());
  ASSERT_EQ(events.size(), 2u);
  const Event& event = events[1];
  EXPECT_EQ(event.tag, "dense/kernel/histogram");
  EXPECT_EQ(event.step, 7);
  EXPECT_EQ(event.min, -10);
  EXPECT_EQ(event.max, 20);
  EXPECT_EQ(event.num, 61);
  EXPECT_DOUBLE_EQ(event.sum, 61 * 5);
  double squares = 0;
  for (const Real x : values) squares += static_cast<double>(x) * static_cast<double>(x);
  EXPECT_DOUBLE_EQ(event.sum_squares, squares);
  ASSERT_EQ(event.bucket_limit.size(), 30u);
  ASSERT_EQ(event.bucket.size(), 30u);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_DOUBLE_EQ(event.bucket_limit[i], -9 + static_cast<double>(i));
    EXPECT_EQ(event.bucket[i], i == 29 ? 3 : 2) << i;
  }
}

TEST(EventFile, HistogramsCountOnlyFiniteValues) {
  const TemporaryFolder folder;
  const EventFile file(folder.path());
  file.write_histogram("all the same", Tensor::vector({3, testing::nan, 3, -testing::infinity}), 0);
  file.write_histogram("nothing", Tensor::vector({testing::nan, testing::infinity}), 0);
  const std::vector<Event> events = read_events(file.path());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].min, 3);
  EXPECT_EQ(events[1].max, 3);
  EXPECT_EQ(events[1].num, 2);
  EXPECT_EQ(events[1].bucket[0], 2);
}

TEST(EventFile, NamesAFileThatCannotBeWritten) {
  const TemporaryFolder folder;
  const std::string file = folder / "file";
  std::ofstream(file) << "no folder";
  EXPECT_EQ(testing::error_of<FileError>([&] { EventFile{file + "/logs"}; }),
            file + "/logs: this folder cannot be created (Not a directory)");
  EXPECT_EQ(testing::error_of<FileError>([] { EventFile{}.write_scalar("a", 1, 1); }),
            ": cannot be written (No such file or directory)");
}

}  // namespace
}  // namespace cornu
