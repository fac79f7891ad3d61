#include "cornu/formats/npy/npy.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "cornu/core/text/naming.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/npy/npy_array.h"
#include "cornu/formats/npy/npy_header.h"

namespace cornu {

struct NpyFile::Content {
  std::string path;
  std::optional<FileBytes> file{};  // none if the bytes are not owned
  detail::NpyArray array{};

  Content(const std::string& where, const NpyOptions& options) : path(where) {
    read(file.emplace(where, options.memory_map).bytes());
  }
  Content(std::span<const std::byte> bytes, std::string name) : path(std::move(name)) { read(bytes); }

 private:
  void read(std::span<const std::byte> bytes) {
    const std::string stem = std::filesystem::path(path).stem().string();
    const auto parse = [&] { return detail::read_npy_array(bytes, stem); };
    array = detail::naming(path, [&] { return detail::recognising(bytes, {detail::FileKind::npy}, parse); });
  }
};

NpyFile::NpyFile(const std::string& path, const NpyOptions& options)
    : content_(std::make_unique<const Content>(path, options)) {}
NpyFile::NpyFile(std::span<const std::byte> bytes, std::string name)
    : content_(std::make_unique<const Content>(bytes, std::move(name))) {}
NpyFile::~NpyFile() = default;
NpyFile::NpyFile(NpyFile&&) noexcept = default;
NpyFile& NpyFile::operator=(NpyFile&&) noexcept = default;

const RawTensor& NpyFile::array() const { return content_->array.tensor; }
std::string NpyFile::path() const { return content_->path; }

Tensor NpyFile::tensor() const {
  return detail::naming(content_->path, [&] { return to_tensor(array()); });
}

void write_npy(const std::string& path, const RawTensor& array) {
  const std::string header = detail::naming(path, [&] { return detail::npy_header(array); });
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  file.write(array.bytes);
  file.commit();
}

void write_npy(const std::string& path, ConstView array) {
  write_npy(path, raw_tensor(std::filesystem::path(path).stem().string(), array));
}

}  // namespace cornu
