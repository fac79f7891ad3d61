#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/raw_tensor.h"

/// NumPy's format for several arrays, as numpy.savez and savez_compressed write it: a zip file of .npy files.
namespace cornu {

/// Whether Cornu was built with libzip, which the rest of this needs: without it, it throws FileError that says so.
bool has_npz();

struct NpzOptions {
  /// Files whose arrays take more than this, in bytes, are refused: what is compressed may expand a thousandfold.
  std::uint64_t size_limit = std::uint64_t{4} << 30;
};

/// A file all of whose arrays have been read and checked.
class NpzFile {
 public:
  /// Throws FileError if the file cannot be read, and FormatError, naming file and array, for a damaged one, for a
  /// member that is encrypted or not a .npy file, for a name twice, and for an array that breaks its format. Arrays of
  /// elements that are not read, such as text, are listed in unread(). Memory is taken only as bytes really come out.
  explicit NpzFile(const std::string& path, const NpzOptions& options = {});
  /// The same for bytes in memory, which are not needed afterwards; `name` stands for the file in errors.
  NpzFile(std::span<const std::byte> bytes, std::string name, const NpzOptions& options = {});
  ~NpzFile();
  NpzFile(NpzFile&&) noexcept;
  NpzFile& operator=(NpzFile&&) noexcept;

  /// In the order in which they are in the file; valid as long as the file.
  const std::vector<RawTensor>& arrays() const;
  /// Arrays of text, objects, complex numbers, dates and structures.
  const std::vector<UnreadArray>& unread() const;
  /// Null if there is none of that name. Throws FormatError, saying why, for one of unread().
  const RawTensor* find(std::string_view name) const;
  /// Throws FormatError, with the names that there are, if there is none of that name.
  const RawTensor& array(std::string_view name) const;
  /// Its numbers as Reals, as `convert` makes them. Throws FormatError as well if its rank is more than a Shape can
  /// have.
  Tensor tensor(std::string_view name) const;
  std::string path() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

struct NpzWriteOptions {
  bool compressed = false;
};

/// Writes a file that appears whole or not at all, in the order of the arrays; it is made in memory first. Equal arrays
/// give equal files. Throws ValueError for a name that is there twice and for what write_npy refuses, and FileError,
/// naming path and cause, if the file cannot be written; what stood there before is kept then.
void write_npz(const std::string& path, std::span<const RawTensor> arrays, const NpzWriteOptions& options = {});

}  // namespace cornu
