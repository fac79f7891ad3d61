#pragma once

#include <protozero/pbf_reader.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/onnx/reader.h"

/// Protocol buffers as ONNX's readers take them, for the files that define these: protozero leaves it to us to look at
/// a field's wire type before it is read.
namespace cornu::onnx::detail {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

/// A file must not make us ask for much more memory than it has bytes.
class Budget {
 public:
  explicit Budget(std::size_t bytes) : left_(cornu::detail::reading_memory(bytes)) {}

  void charge(std::size_t bytes) {
    require<FormatError>(bytes <= left_, "reading it would take more than three times its size in memory");
    left_ -= bytes;
  }

  template <class T, class U>
  void append(std::vector<T>& list, U&& item) {
    // A vector that grows has the old memory and the new, and some of it unused; later there is a Node of each.
    charge(4 * sizeof(T));
    list.push_back(std::forward<U>(item));
  }

 private:
  std::size_t left_;
};

/// Throws unless the field is of the wire type that the schema has for it.
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

/// Calls f for each number of a repeated field, packed or not.
template <class F>
void each_varint(pbf_reader& message, F f) {
  if (message.wire_type() == pbf_wire_type::varint) return f(message.get_int64());
  expect(message, pbf_wire_type::length_delimited, "a list of whole numbers");
  for (const std::int64_t number : message.get_packed_int64()) f(number);
}

/// The kind of the numbers of an ElementType. Throws FormatError for one that Cornu does not read.
Kind kind_of(std::int64_t element_type);

TensorMessage tensor_of(pbf_reader message, Budget& budget);

}  // namespace cornu::onnx::detail
