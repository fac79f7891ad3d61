#include "cornu/formats/atomic_file.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

// 255 bytes are the most on the file systems of Linux.
TEST(AtomicFile, TakesTheLongestNameThereIs) {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  AtomicFile file(folder / name);
  file.commit();
  EXPECT_EQ(folder.names(), std::vector{name});
}

TEST(AtomicFile, RefusesALongerNameBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  const std::string name(256, 'n');
  expect_error<FileError>([&] { AtomicFile{folder / name}; },
                          (folder / name).string() + ": cannot be written (File name too long)");
  EXPECT_EQ(folder.names(), std::vector<std::string>{});
}

}  // namespace
}  // namespace cornu
