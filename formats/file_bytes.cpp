#include "cornu/formats/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// An open file that is closed again, whatever happens.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw FileError(message("{}: {} ({})", path.string(), what, std::generic_category().message(errno)));
}

}  // namespace

FileBytes::FileBytes(const std::filesystem::path& path, bool memory_map) {
  // Not waiting: the other end of a pipe may never come.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) fail(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail(path, "cannot be read");
  require<FileError>(S_ISREG(status.st_mode), "{}: this is a folder or a device, not a file", path.string());
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
  while (done < size) {
    const ssize_t read = ::read(file.number, copy_.data() + done, size - done);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) fail(path, "cannot be read");
    if (read == 0) break;
    done += static_cast<std::size_t>(read);
  }
  bytes_ = {copy_.data(), done};
}

FileBytes::~FileBytes() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

}  // namespace cornu
