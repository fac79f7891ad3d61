#include "cornu/formats/npy/npy_array.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/npy/npy_header.h"

namespace cornu::detail {

namespace {

/// The stride of each axis, in elements.
std::vector<Index> strides(const NpyHeader& header) {
  const std::size_t rank = header.shape.size();
  std::vector<Index> result(rank);
  Index stride = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t axis = header.fortran_order ? i : rank - 1 - i;
    result[axis] = stride;
    stride *= header.shape[axis];
  }
  return result;
}

/// Copies the elements, at least one, into row-major little-endian order.
std::vector<std::byte> rearranged(std::span<const std::byte> bytes, const NpyHeader& header) {
  const std::vector<Index> stride = strides(header);
  const Index size = size_of(header.dtype);
  std::vector<Index> place(header.shape.size());
  std::vector<std::byte> result(bytes.size());
  Index at = 0;  // in bytes; leaves the array while an axis is reset
  for (std::byte* to = result.data(); to != result.data() + result.size(); to += size) {
    const std::byte* const from = bytes.data() + at;
    if (header.big_endian) {
      std::reverse_copy(from, from + size, to);
    } else {
      std::copy_n(from, size, to);
    }
    for (std::size_t axis = place.size(); axis-- > 0;) {
      at += stride[axis] * size;
      if (++place[axis] < header.shape[axis]) break;
      at -= stride[axis] * header.shape[axis] * size;
      place[axis] = 0;
    }
  }
  return result;
}

}  // namespace

NpyArray read_npy_array(std::span<const std::byte> file, std::string name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  require<FormatError>(text.starts_with(npy_magic), "it begins with {}, which no .npy file does", beginning_of(file));
  const std::size_t version_at = npy_magic.size(), length_at = version_at + 2;
  require<FormatError>(text.size() >= length_at, "it ends before its version");
  const auto major = static_cast<unsigned char>(text[version_at]),
             minor = static_cast<unsigned char>(text[version_at + 1]);
  require<FormatError>(major >= 1 && major <= 3 && minor == 0, "version {}.{}; 1.0, 2.0 and 3.0 are supported", major,
                       minor);
  const std::size_t length_bytes = major == 1 ? 2 : 4, header_at = length_at + length_bytes;
  require<FormatError>(text.size() >= header_at, "it ends before its header");
  std::uint32_t length = 0;
  std::memcpy(&length, file.data() + length_at, length_bytes);
  require<FormatError>(length <= text.size() - header_at, "the header has {} bytes, but the file has {} left", length,
                       text.size() - header_at);
  const std::string_view line = text.substr(header_at, length);
  require<FormatError>(line.ends_with('\n'), "the header does not end with a line break");

  const NpyHeader header = read_npy_header(line);
  const auto bytes = file.subspan(header_at + length);
  const Index wanted = byte_count(header.shape, header.dtype);
  require<FormatError>(wanted == std::ssize(bytes), "{} {} takes {} bytes, but {} follow the header{}",
                       to_string(header.dtype), to_string(std::span(header.shape)), wanted, bytes.size(),
                       wanted < std::ssize(bytes) ? " (files with several arrays are not supported)" : "");

  NpyArray array{.tensor = {.name = std::move(name), .dtype = header.dtype, .shape = header.shape, .bytes = bytes}};
  if (wanted > 0 && (header.big_endian || (header.fortran_order && header.shape.size() > 1))) {
    array.rearranged = rearranged(bytes, header);
    array.tensor.bytes = array.rearranged;
  }
  return array;
}

}  // namespace cornu::detail
