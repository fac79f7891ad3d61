#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

/// Files of another user. Only root can create them.
namespace cornu::testing {

inline constexpr uid_t other_user = 65534;

inline bool is_root() { return ::geteuid() == 0; }

inline struct stat status_of(const std::filesystem::path& path) {
  struct stat result {};
  EXPECT_EQ(::lstat(path.c_str(), &result), 0) << path;
  return result;
}

inline void give_away(const std::filesystem::path& path) {
  ASSERT_EQ(::lchown(path.c_str(), other_user, other_user), 0) << path;
}

/// Creates a file with these permissions that belongs to this user or to another one.
inline void plant_file(const std::filesystem::path& path, mode_t mode, bool of_other_user,
                       const std::string& content = "planted") {
  std::filesystem::remove(path);
  std::ofstream(path) << content;
  if (of_other_user) give_away(path);
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;  // last, because chown clears setuid and setgid
}

/// Creates a link that belongs to another user.
inline void plant_link(const std::filesystem::path& path, const std::filesystem::path& target) {
  std::filesystem::remove(path);
  std::filesystem::create_symlink(target, path);
  give_away(path);
}

}  // namespace cornu::testing
