#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cornu::keras::detail {

/// The parts of one of Keras's files: a .keras archive, or an HDF5 file.
struct Parts {
  std::optional<std::string> config{};   ///< config.json of an archive
  std::vector<std::byte> unpacked{};     ///< model.weights.h5 of an archive
  std::span<const std::byte> weights{};  ///< the bytes of an HDF5 file
};

/// `file` must outlive the result. Throws FormatError for other kinds of files, and for an archive that lacks a part.
Parts parts_of(std::span<const std::byte> file);

}  // namespace cornu::keras::detail
