#include "cornu/formats/file_owner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

constexpr int most_links = 40;  // Linux's limit

[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  throw FileError(message("{}: {} ({})", path, what, std::generic_category().message(error)));
}

bool is_open_to_all(const std::filesystem::path& folder) {
  struct stat status {};
  return ::stat(folder.empty() ? "." : folder.c_str(), &status) != 0 || (status.st_mode & S_IWOTH) != 0;
}

/// Closes the descriptor on destruction.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

bool is_trusted_owner(unsigned owner) { return owner == ::geteuid() || owner == 0; }

std::string why_untrusted(const std::filesystem::path& path) {
  struct stat itself {
  }, behind{};
  if (::lstat(path.c_str(), &itself) != 0 || ::stat(path.c_str(), &behind) != 0) return "";
  if (!is_trusted_owner(itself.st_uid)) {
    return message("it {}belongs to another user (user id {})", S_ISLNK(itself.st_mode) ? "is a link that " : "",
                   itself.st_uid);
  }
  if (!is_trusted_owner(behind.st_uid)) return message("it belongs to another user (user id {})", behind.st_uid);
  if (S_ISDIR(behind.st_mode) && (behind.st_mode & S_IWOTH) != 0) return "everyone can write to it";
  return "";
}

std::filesystem::path behind_links(const std::filesystem::path& path) {
  std::filesystem::path result = path;
  for (int i = 0; i < most_links; ++i) {
    struct stat status {};
    if (::lstat(result.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return result;
    require<FileError>(
        is_trusted_owner(status.st_uid),
        "{}: the link {} belongs to another user (user id {}) and is not followed; give the file it points to",
        path.string(), result.string(), status.st_uid);
    std::error_code error;
    const std::filesystem::path target = std::filesystem::read_symlink(result, error);
    if (error) fail(path.string(), "cannot be followed as a link", error.value());
    result = result.parent_path() / target;  // operator/ drops the folder if the target is absolute
  }
  fail(path.string(), "cannot be followed as a link", ELOOP);
}

int above_standard_streams(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return moved;
}

void write_to_file(const std::string& path, std::string_view text, Existing existing) {
  std::filesystem::path target = behind_links(path);
  struct stat there {};
  // /dev/stdout may lead to a pipe, which has no path.
  const bool is_device = existing != Existing::refuse && ::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
  if (is_device) target = path;
  const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | (is_device ? 0 : O_CREAT | O_NOFOLLOW) |
                    (existing == Existing::refuse ? O_EXCL : 0);
  const Descriptor file{above_standard_streams(::open(target.c_str(), flags, 0666))};
  if (file.number < 0) fail(path, "cannot be written", errno);
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail(path, "cannot be written", errno);
  require<FileError>(
      is_trusted_owner(status.st_uid) || !is_open_to_all(target.parent_path()),
      "{}: belongs to another user (user id {}), in a folder that everyone can write to; choose another file", path,
      status.st_uid);
  if (existing == Existing::replace && S_ISREG(status.st_mode) && ::ftruncate(file.number, 0) != 0) {
    fail(path, "cannot be written", errno);
  }
  while (!text.empty()) {
    const ssize_t written = ::write(file.number, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "cannot be written", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace cornu::detail
