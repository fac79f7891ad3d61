#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cornu/formats/file_kind.h"

namespace cornu::tool {

using detail::FileKind;
using detail::name_of;

/// The kind of a file, from its first bytes, or from its name's ending if they do not tell. Text counts as a table. May
/// return gzip, since IDX files may be compressed. Throws FormatError, naming the kind if it is recognised, for other
/// files.
FileKind kind_of(std::span<const std::byte> bytes, const std::string& name);
/// The same for a file. Throws FileError if it cannot be read.
FileKind kind_of_file(const std::string& path);

/// True for kinds of files from which read_arrays reads arrays.
bool has_arrays(FileKind kind);

}  // namespace cornu::tool
