#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/onnx/reader.h"

/// Helpers on top of protozero's reader. protozero does not check a field's wire type before reading it; these do.
namespace cornu::onnx::detail {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

/// Limits how much memory a file can make the reader allocate, relative to its size.
class Budget {
 public:
  /// factor: bytes of memory for a byte of the file, which may be an integer of 8 bytes in memory.
  explicit Budget(std::size_t bytes, std::size_t factor = 8)
      : factor_(factor), left_(cornu::detail::reading_memory(0)) {
    add(bytes);
  }

  /// Another file of this size belongs to the model.
  void add(std::size_t bytes) { left_ += factor_ * bytes; }
  void charge(std::size_t bytes) {
    require<FormatError>(bytes <= left_, "reading it would take more than {} times its size in memory", factor_);
    left_ -= bytes;
  }

  template <class T, class U>
  void append(std::vector<T>& list, U&& item) {
    // A growing vector holds its old and its new memory, both with spare capacity; later a Node is built for each item.
    charge(4 * sizeof(T));
    list.push_back(std::forward<U>(item));
  }

 private:
  std::size_t factor_, left_;
};

/// Throws FormatError unless the field has the wire type of the schema.
inline void expect(const pbf_reader& message, pbf_wire_type wanted, const char* what) {
  require<FormatError>(message.wire_type() == wanted, "{} has wire type {}, expected {}", what,
                       static_cast<int>(message.wire_type()), static_cast<int>(wanted));
}

inline std::string_view text(pbf_reader& message, const char* what) {
  expect(message, pbf_wire_type::length_delimited, what);
  const protozero::data_view view = message.get_view();
  return {view.data(), view.size()};
}

inline pbf_reader part(pbf_reader& message, const char* what) {
  expect(message, pbf_wire_type::length_delimited, what);
  return message.get_message();
}

inline std::int64_t integer(pbf_reader& message, const char* what) {
  expect(message, pbf_wire_type::varint, what);
  return message.get_int64();
}

/// Calls f for each element of a repeated field, packed or not.
template <class F>
void each_varint(pbf_reader& message, F f) {
  if (message.wire_type() == pbf_wire_type::varint) return f(message.get_int64());
  expect(message, pbf_wire_type::length_delimited, "a list of whole numbers");
  for (const std::int64_t number : message.get_packed_int64()) f(number);
}

/// The same for floats.
template <class F>
void each_float(pbf_reader& message, F f) {
  if (message.wire_type() == pbf_wire_type::fixed32) return f(message.get_float());
  const std::string_view bytes = text(message, "a list of floats");
  require<FormatError>(bytes.size() % sizeof(float) == 0, "{} bytes of floats, not a multiple of {}", bytes.size(),
                       sizeof(float));
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) {
    float number = 0;
    std::memcpy(&number, bytes.data() + i, sizeof number);
    f(number);
  }
}

/// Throws FormatError for an element type that Cornu does not read.
void require_known(std::int64_t element_type);

/// Where a tensor's elements are in another file: text as written in the model, empty if it is left out.
struct ExternalPlace {
  std::string_view location, offset, length;
};
/// Returns the bytes of a place, which stay valid while the model is read, or throws FormatError.
using External = std::function<std::span<const std::byte>(const ExternalPlace&)>;

TensorMessage tensor_of(pbf_reader message, Budget& budget, const External& external);
/// The size of a dimension; -1 if the file gives none or a name.
Index read_dimension(pbf_reader message);
/// The key and the value of a metadata entry.
std::pair<std::string_view, std::string_view> read_entry(pbf_reader message);
/// The domain and the version of an opset.
std::pair<std::string_view, std::int64_t> read_opset(pbf_reader message);

/// The text of a FormatError for bytes that protozero cannot parse.
std::string not_protocol_buffer(const protozero::exception& error, std::string_view bytes);

}  // namespace cornu::onnx::detail
