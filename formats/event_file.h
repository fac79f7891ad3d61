#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cornu/core/tensor.h"

namespace cornu {

/// A file that TensorBoard reads: what was measured, by tag and step. A series of records, each of its length (8
/// bytes), the masked CRC-32C of these (4), an Event as a protocol buffer, and the masked CRC-32C of that (4),
/// little-endian. Source: TensorFlow, lib/io/record_writer.h, util/event.proto, framework/summary.proto.
///
/// It is opened for each write, so that nothing is held open and what was written is there for others; a copy goes on
/// with the same file. All throw FileError, naming it, if it cannot be written.
class EventFile {
 public:
  /// None: nothing can be written to it.
  EventFile() = default;
  /// A new one in the folder, which is made, with those that it is in, if it is not there.
  explicit EventFile(const std::string& folder);

  const std::string& path() const { return path_; }

  void write_scalar(std::string_view tag, double value, std::int64_t step) const;
  /// How the finite ones of some numbers are spread: counts in 30 buckets of the same width between the least and the
  /// greatest. Nothing is written if there are none.
  void write_histogram(std::string_view tag, ConstView values, std::int64_t step) const;

 private:
  void append(std::string_view event) const;

  std::string path_;
};

}  // namespace cornu
