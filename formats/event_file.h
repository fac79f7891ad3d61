#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cornu/core/tensor.h"

namespace cornu {

/// Writes a TensorBoard event file: scalars and histograms by tag and step. The file is a series of records: length (8
/// bytes), masked CRC-32C of the length (4 bytes), an Event protocol buffer, masked CRC-32C of the event (4 bytes), all
/// little-endian. Source: TensorFlow, lib/io/record_writer.h, util/event.proto, framework/summary.proto.
///
/// The file is opened and closed for each write, so other programs see every record at once. Copies append to the same
/// file. All functions throw FileError, naming the file, if it cannot be written.
class EventFile {
 public:
  /// No file; writing to it is an error.
  EventFile() = default;
  /// A new file in `folder`, which is created, with its parents, if it does not exist.
  explicit EventFile(const std::string& folder);

  const std::string& path() const { return path_; }

  void write_scalar(std::string_view tag, double value, std::int64_t step) const;
  /// Writes a histogram of the finite values: counts in 30 buckets of equal width between the smallest and the largest.
  /// Writes nothing if no value is finite.
  void write_histogram(std::string_view tag, ConstView values, std::int64_t step) const;

 private:
  void append(std::string_view event) const;

  std::string path_;
};

}  // namespace cornu
