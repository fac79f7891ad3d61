#include "cornu/formats/gzip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"

namespace cornu {
namespace {

using testing::Bytes;

Bytes content_of(const Bytes& file) {
  detail::ByteReader reader(file, "file");
  Bytes content(1000);
  content.resize(reader.read(content));
  return content;
}

TEST(Gzip, RejectsDamagedDataOrReadsTheSameContent) {
  const std::string text = "some text, some text, and a little more of it";
  const auto bytes = std::as_bytes(std::span(text));
  const Bytes content(bytes.begin(), bytes.end());
  Bytes file = detail::gzip_compressed(bytes.first(10));
  const Bytes second = detail::gzip_compressed(bytes.subspan(10));
  file.insert(file.end(), second.begin(), second.end());
  ASSERT_EQ(content_of(file), content);
  const testing::Refused refused = testing::read_damaged(file, [&](const Bytes& damaged) {
    const Bytes read = content_of(damaged);
    if (!detail::is_gzip(damaged)) {
      EXPECT_EQ(read, damaged);
    } else if (damaged.size() < file.size()) {
      EXPECT_TRUE(std::equal(read.begin(), read.end(), content.begin())) << damaged.size();  // cut between the members
    } else {
      EXPECT_EQ(read, content);
    }
  });
  EXPECT_EQ(refused.cut, std::ssize(file) - 3);  // not refused: no bytes, one byte, one whole member
  // Not refused: flips in the magic, which make the file uncompressed, and in fields without effect, such as time and
  // system.
  EXPECT_GT(refused.flipped, 8 * std::ssize(file) / 2);
}

}  // namespace
}  // namespace cornu
