#include "cornu/formats/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// Closes the descriptor on destruction.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw FileError(message("{}: {} ({})", path, what, std::generic_category().message(errno)));
}

/// Returns the number of bytes read, 0 at the end.
std::size_t read_some(int descriptor, std::span<std::byte> to, const std::string& path) {
  ssize_t came = 0;
  do {
    came = ::read(descriptor, to.data(), to.size());
  } while (came < 0 && errno == EINTR);
  if (came < 0) fail(path, "cannot be read");
  return static_cast<std::size_t>(came);
}

}  // namespace

FileBytes::FileBytes(const std::string& path, bool memory_map, Pipes pipes) {
  // A refused pipe must not be waited for: it may never have a writer.
  const int waiting = pipes == Pipes::refused ? O_NONBLOCK : 0;
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | waiting)};
  if (file.number < 0) fail(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail(path, "cannot be read");
  if (S_ISFIFO(status.st_mode) && pipes == Pipes::read) {
    copy_all(file.number, path);
    return;
  }
  require<FileError>(S_ISREG(status.st_mode), "{}: this is a folder, a device or a pipe, not a file", path);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;
  if (memory_map) {
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (memory == MAP_FAILED) fail(path, "cannot be mapped into memory");
    mapping_ = memory;
    bytes_ = {static_cast<const std::byte*>(memory), size};
    return;
  }
  copy_.resize(size);
  std::size_t done = 0;
  while (const std::size_t came = read_some(file.number, std::span(copy_).subspan(done), path)) done += came;
  bytes_ = {copy_.data(), done};
}

FileBytes::FileBytes(int descriptor, const std::string& name) { copy_all(descriptor, name); }

void FileBytes::copy_all(int descriptor, const std::string& name) {
  std::array<std::byte, 1 << 16> piece;
  while (const std::size_t came = read_some(descriptor, piece, name)) {
    copy_.insert(copy_.end(), piece.begin(), piece.begin() + came);
  }
  bytes_ = copy_;
}

FileBytes::~FileBytes() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

}  // namespace cornu
