#include "cornu/formats/atomic_file.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "cornu/core/error.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/other_user.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

void replace(const std::filesystem::path& path) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(std::string_view("new"))));
  file.commit();
}

constexpr std::array<mode_t, 9> modes{0600, 0640, 0444, 0666, 0777, 01666, 02755, 04755, 06777};

// Linux file systems allow 255 bytes.
TEST(AtomicFile, AcceptsTheLongestPossibleName) {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  AtomicFile file(folder / name);
  file.commit();
  EXPECT_EQ(folder.names(), std::vector{name});
}

TEST(AtomicFile, RejectsALongerNameBeforeWriting) {
  const TemporaryFolder folder;
  const std::string name(256, 'n');
  expect_error<FileError>([&] { AtomicFile{folder / name}; },
                          (folder / name).string() + ": cannot be written (File name too long)");
  EXPECT_EQ(folder.names(), std::vector<std::string>{});
}

TEST(AtomicFile, KeepsPermissionsButNeverSetuidSetgidOrSticky) {
  const TemporaryFolder folder;
  for (const mode_t mode : modes) {
    testing::plant_file(folder / "f", mode, false);
    const struct stat before = testing::status_of(folder / "f");
    replace(folder / "f");
    const struct stat after = testing::status_of(folder / "f");
    EXPECT_EQ(after.st_mode & 07777, mode & 0777) << std::oct << mode;
    EXPECT_EQ(after.st_gid, before.st_gid);
    EXPECT_EQ(testing::content(folder / "f"), "new");
  }
}

TEST(AtomicFile, KeepsNoPermissionsOfAnotherUsersFile) {
  if (!testing::is_root()) GTEST_SKIP() << "only root can make files of other users";
  const TemporaryFolder folder;
  const mode_t mask = ::umask(027);
  for (const mode_t folder_mode : {0700, 0777, 01777}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), folder_mode), 0);
    for (const mode_t mode : modes) {
      testing::plant_file(folder / "f", mode, true);
      replace(folder / "f");
      const struct stat after = testing::status_of(folder / "f");
      EXPECT_EQ(after.st_mode & 07777, 0640U) << std::oct << mode;
      EXPECT_EQ(after.st_uid, ::geteuid());
      EXPECT_EQ(after.st_gid, ::getegid());
    }
  }
  ::umask(mask);
}

TEST(AtomicFile, GivesAnotherGroupOnlyThePermissionsOfOthers) {
  if (!testing::is_root()) GTEST_SKIP() << "only root can give a file to any group";
  const TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  testing::plant_file(folder / "f", 0664, true);
  ASSERT_EQ(::lchown((folder / "f").c_str(), testing::other_user, 0), 0);
  ASSERT_EQ(::setegid(testing::other_user), 0);
  ASSERT_EQ(::seteuid(testing::other_user), 0);  // no longer a member of group 0
  replace(folder / "f");
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_EQ(::setegid(0), 0);
  const struct stat after = testing::status_of(folder / "f");
  EXPECT_TRUE(after.st_gid == 0 ? (after.st_mode & 0777) == 0664 : (after.st_mode & 0777) == 0644)
      << after.st_gid << ' ' << std::oct << after.st_mode;
}

TEST(AtomicFile, FollowsChainsOfTheUsersLinks) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "deep");
  std::filesystem::create_symlink("deep/b", folder / "a");
  std::filesystem::create_symlink(folder / "c", folder / "deep" / "b");
  replace(folder / "a");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "a"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "deep" / "b"));
  EXPECT_EQ(testing::content(folder / "c"), "new");
  std::filesystem::create_symlink("round", folder / "round");
  expect_error<FileError>(
      [&] { replace(folder / "round"); },
      (folder / "round").string() + ": cannot be followed as a link (Too many levels of symbolic links)");
}

TEST(AtomicFile, FollowsNoLinkOfAnotherUser) {
  if (!testing::is_root()) GTEST_SKIP() << "only root can make links of other users";
  const TemporaryFolder folder;
  testing::plant_file(folder / "mine", 0600, false, "kept");
  testing::plant_link(folder / "theirs", "mine");
  std::filesystem::create_symlink("theirs", folder / "my_link");
  for (const mode_t mode : {0700, 0777, 01777}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), mode), 0);
    for (const char* name : {"theirs", "my_link"}) {
      expect_error<FileError>(
          [&] { replace(folder / name); },
          message(
              "{}: the link {} belongs to another user (user id 65534) and is not followed; give the file it points to",
              (folder / name).string(), (folder / "theirs").string()));
    }
  }
  EXPECT_EQ(testing::content(folder / "mine"), "kept");
  EXPECT_EQ(folder.names().size(), 3u);
}

TEST(AtomicFile, NeverUsesTheDescriptorOfAStandardStream) {
  const TemporaryFolder folder;
  const int kept = ::dup(STDERR_FILENO);
  ASSERT_GT(kept, STDERR_FILENO);
  ::close(STDERR_FILENO);
  {
    AtomicFile file(folder / "f");
    EXPECT_EQ(::fcntl(STDERR_FILENO, F_GETFD), -1) << "a warning would be written into the file";
    file.commit();
  }
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
}

}  // namespace
}  // namespace cornu
