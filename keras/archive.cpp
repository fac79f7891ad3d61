#include "cornu/keras/archive.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/zip.h"

namespace cornu::keras::detail {

using cornu::detail::FileKind;

namespace {

constexpr std::uint64_t most_config = std::uint64_t{64} << 20;
constexpr std::uint64_t most_weights = std::uint64_t{4} << 30;

/// The content of the member of this name.
std::vector<std::byte> member(const cornu::detail::ZipReader& zip, const char* name, std::uint64_t limit) {
  for (Index i = 0; i < zip.size(); ++i) {
    if (zip.name(i) == name) {
      return cornu::detail::naming(name, [&] { return zip.read(i, limit); });
    }
  }
  throw FormatError(message("the archive has no {}", name));
}

}  // namespace

Parts parts_of(std::span<const std::byte> file) {
  const FileKind kind = cornu::detail::file_kind(file);
  if (kind == FileKind::hdf5) return {.weights = file};
  require<FormatError>(kind == FileKind::keras || kind == FileKind::zip, "not one of Keras's files{}",
                       kind == FileKind::unknown ? "" : ": " + cornu::detail::described(kind));
  const cornu::detail::ZipReader zip(file);
  const std::vector<std::byte> config = member(zip, "config.json", most_config);
  Parts parts{.config = std::string(reinterpret_cast<const char*>(config.data()), config.size()),
              .unpacked = member(zip, "model.weights.h5", most_weights)};
  parts.weights = parts.unpacked;
  return parts;
}

}  // namespace cornu::keras::detail
