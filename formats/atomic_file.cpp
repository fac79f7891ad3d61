#include "cornu/formats/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/formats/file_owner.h"

namespace cornu {

namespace {

/// Makes the rename itself survive a power failure. Errors are ignored: not every file system can sync a folder.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// Permissions of the new file: those of the file it replaces, or 0666 reduced by the umask.
struct Permissions {
  bool replaces = false;
  mode_t mode = 0666;
  gid_t group = 0;
};

/// Takes nothing from a file of another user, and never the setuid, setgid and sticky bits: whoever planted such a file
/// could otherwise inject code into a program that runs as this user.
Permissions permissions_for(const std::filesystem::path& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0 || there.st_uid != ::geteuid()) return {};
  return {.replaces = true, .mode = there.st_mode & 0777U, .group = there.st_gid};
}

/// Creates the file with no more than its final permissions, because another process that opens it in between keeps its
/// descriptor. mkstemp() does not fit: it makes the file private, and the final permissions depend on the umask, which
/// cannot be read without setting it for all threads.
int open_new(std::filesystem::path& path, const std::filesystem::path& wanted, const Permissions& permissions) {
  std::string name = wanted.filename().string();
  if (name.size() > 200) name = "cornu";  // the limit is 255 bytes, and more is appended below
  const auto prefix = "." + name + "." + std::to_string(::getpid()) + ".";
  int descriptor = -1;
  for (int attempt = 0; descriptor < 0; ++attempt) {
    path = folder_of(wanted) / (prefix + std::to_string(attempt) + ".part");
    // O_EXCL does not follow links, so a planted link cannot redirect the file.
    descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions.mode);
    if (descriptor < 0 && errno != EEXIST) return -1;
  }
  descriptor = detail::above_standard_streams(descriptor);
  if (descriptor < 0) ::unlink(path.c_str());
  if (descriptor < 0 || !permissions.replaces) return descriptor;
  mode_t mode = permissions.mode;
  // If the file cannot be given to its former group, its group gets the permissions of others.
  struct stat made {};
  const bool same_group = ::fstat(descriptor, &made) == 0 && made.st_gid == permissions.group;
  if (!same_group && ::fchown(descriptor, static_cast<uid_t>(-1), permissions.group) != 0) {
    mode = (mode & 0707U) | (mode & 0070U & (mode & 0007U) << 3U);
  }
  ::fchmod(descriptor, mode);
  return descriptor;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  require<FileError>(path_.has_filename(), "{}: this is not a file name", path_.string());
  std::filesystem::path target = detail::behind_links(path_);
  // Without this check, root writing to /dev/null would replace the device by a file.
  std::error_code error;
  const auto there = std::filesystem::status(path_, error);
  // Fails now, for example for a name that is too long, and not in commit() after everything has been written.
  if (there.type() == std::filesystem::file_type::none) fail("cannot be written", error.value());
  require<FileError>(!std::filesystem::exists(there) || std::filesystem::is_regular_file(there),
                     "{}: this is a folder, a device or a pipe, not a file", path_.string());
  path_ = std::move(target);
  descriptor_ = open_new(temporary_, path_, permissions_for(path_));
  if (descriptor_ < 0) fail("cannot create a file in its folder", errno);
}

AtomicFile::~AtomicFile() { close_and_remove(); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be written", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be written", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be moved into place", errno);
  temporary_.clear();
  sync_folder(folder_of(path_));
}

void AtomicFile::fail(const char* what, int error) const {
  throw FileError(message("{}: {} ({})", path_.string(), what, std::generic_category().message(error)));
}

void AtomicFile::close_and_remove() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

}  // namespace cornu
