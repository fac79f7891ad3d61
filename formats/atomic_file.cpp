#include "cornu/formats/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// So that the new name itself survives a power failure. Not every file system can do it for a folder, so that a
/// failure means nothing.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// open() applies the process's mask to the permissions of a new file, mkstemp() gives them to the owner alone; and the
/// mask cannot be read without setting it, which other threads would notice. So a name of our own, and open().
int open_new(std::filesystem::path& path, const std::filesystem::path& wanted) {
  std::string name = wanted.filename().string();
  if (name.size() > 200) name = "cornu";  // 255 bytes are the most, and more is to follow
  const auto prefix = "." + name + "." + std::to_string(::getpid()) + ".";
  for (int attempt = 0;; ++attempt) {
    path = folder_of(wanted) / (prefix + std::to_string(attempt) + ".part");
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  require<FileError>(path_.has_filename(), "{}: this is no name for a file", path_.string());
  // A device or a pipe would be replaced by a file, if the user may do that: root writing to /dev/null.
  std::error_code error;
  // Of a link it is the file behind it that is written.
  if (std::filesystem::is_symlink(path_, error)) {
    std::error_code failed;
    const std::filesystem::path behind = std::filesystem::weakly_canonical(path_, failed);
    if (!failed) path_ = behind;
  }
  const auto there = std::filesystem::status(path_, error);
  // Now, and not in commit(), after all has been written: a name that is too long, for one.
  if (there.type() == std::filesystem::file_type::none) fail("cannot be written", error.value());
  require<FileError>(!std::filesystem::exists(there) || std::filesystem::is_regular_file(there),
                     "{}: this is a folder, a device or a pipe, not a file", path_.string());
  descriptor_ = open_new(temporary_, path_);
  if (descriptor_ < 0) fail("cannot write in its folder", errno);
  // Who may read the file may read the new one, and nobody else.
  if (std::filesystem::exists(there)) ::fchmod(descriptor_, static_cast<mode_t>(there.permissions()));
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
