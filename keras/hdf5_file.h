#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cornu/formats/named_tensors.h"

namespace cornu::keras::detail {

struct Hdf5Options {
  /// Limit in bytes of the elements of all compressed datasets together.
  std::uint64_t size_limit = std::uint64_t{4} << 30;
};

/// An HDF5 file, read completely by libhdf5. docs/decisions/keras-files.md says what is refused.
class Hdf5File {
 public:
  /// The datasets, by their paths ("layers/dense/vars/0"), and the texts in attributes. Floats of up to 4 bytes become
  /// F32; Keras's bfloat16, which is stored as 2 opaque bytes, BF16. Other types become unread arrays. The bytes must
  /// outlive the constructor only; `name` is the file's name in errors.
  /// Throws FormatError, naming file and object, for a damaged file; for links that are not hard links, or a second
  /// link to an object; for values outside the file, virtual datasets and filters other than gzip, shuffle and
  /// fletcher32; for datasets without stored values, or larger than the limit; for more than 100,000 objects, and for
  /// groups nested more than 64 deep.
  Hdf5File(std::span<const std::byte> bytes, const std::string& name, const Hdf5Options& options = {});
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  const NamedTensors& content() const { return *content_; }
  /// The texts in an attribute of a group; "" is the root. nullptr if there is no such attribute of text.
  const std::vector<std::string>* texts(const std::string& group, const std::string& attribute) const;

 private:
  std::map<std::string, std::map<std::string, std::vector<std::string>>> attributes_;
  std::list<std::vector<std::byte>> elements_;
  std::optional<NamedTensors> content_;
};

}  // namespace cornu::keras::detail
