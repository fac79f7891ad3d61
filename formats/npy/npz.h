#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/raw_tensor.h"

/// NumPy's .npz format for several arrays, as numpy.savez and savez_compressed write it: a zip file of .npy files.
namespace cornu {

/// True if Cornu was built with libzip. Otherwise everything else here throws a FileError that says so.
bool has_npz();

struct NpzOptions {
  /// Upper bound in bytes for all arrays together. Compressed data can expand a thousandfold.
  std::uint64_t size_limit = std::uint64_t{4} << 30;
};

/// A .npz file whose arrays have all been read and checked.
class NpzFile {
 public:
  /// Throws FileError if the file cannot be read. Throws FormatError, naming file and array, for a damaged file, for a
  /// member that is encrypted or not a .npy file, for a duplicate name, and for an array that breaks its format. Arrays
  /// of unsupported element types, such as text, are listed in unread(). Memory is allocated only as data are
  /// decompressed.
  explicit NpzFile(const std::string& path, const NpzOptions& options = {});
  /// The same for bytes in memory, which are not used afterwards; `name` is the file's name in errors.
  NpzFile(std::span<const std::byte> bytes, std::string name, const NpzOptions& options = {});
  ~NpzFile();
  NpzFile(NpzFile&&) noexcept;
  NpzFile& operator=(NpzFile&&) noexcept;

  /// In the order of the file. Valid as long as this object.
  const std::vector<RawTensor>& arrays() const;
  /// Arrays of text, objects, complex numbers, dates and structures.
  const std::vector<UnreadArray>& unread() const;
  /// Null if there is no array of this name. Throws FormatError, with the reason, if it is one of unread().
  const RawTensor* find(std::string_view name) const;
  /// Throws FormatError, listing the names in the file, if there is no array of this name.
  const RawTensor& array(std::string_view name) const;
  /// Converts the elements to Real, see `convert`. Also throws FormatError if the rank exceeds a Shape's.
  Tensor tensor(std::string_view name) const;
  std::string path() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

struct NpzWriteOptions {
  bool compressed = false;
};

/// Writes a .npz file atomically, in the order of the arrays; the file is built in memory first. Equal arrays give
/// equal files. Throws ValueError for a duplicate name and for what write_npy refuses; FileError, naming path and
/// cause, if the file cannot be written. An existing file is kept on error.
void write_npz(const std::string& path, std::span<const RawTensor> arrays, const NpzWriteOptions& options = {});

}  // namespace cornu
