#pragma once

#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
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
  explicit Budget(std::size_t bytes) : left_(cornu::detail::reading_memory(bytes)) {}

  void charge(std::size_t bytes) {
    require<FormatError>(bytes <= left_, "reading it would take more than three times its size in memory");
    left_ -= bytes;
  }

  template <class T, class U>
  void append(std::vector<T>& list, U&& item) {
    // A growing vector holds its old and its new memory, both with spare capacity; later a Node is built for each item.
    charge(4 * sizeof(T));
    list.push_back(std::forward<U>(item));
  }

 private:
  std::size_t left_;
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

/// The kind of an ElementType. Throws FormatError for a type that Cornu does not read.
Kind kind_of(std::int64_t element_type);

TensorMessage tensor_of(pbf_reader message, Budget& budget);
/// The size of a dimension; -1 if the file gives none or a name.
Index read_dimension(pbf_reader message);
/// The key and the value of a metadata entry.
std::pair<std::string_view, std::string_view> read_entry(pbf_reader message);
/// The domain and the version of an opset.
std::pair<std::string_view, std::int64_t> read_opset(pbf_reader message);

/// The text of a FormatError for bytes that protozero cannot parse.
std::string not_protocol_buffer(const protozero::exception& error, std::string_view bytes);

}  // namespace cornu::onnx::detail
