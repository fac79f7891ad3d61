#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cornu/formats/file_kind.h"

namespace cornu::tool {

using detail::FileKind;
using detail::name_of;

/// Which of the kinds that the program reads a file is: its first bytes tell, and its name only where they do not. A
/// file of text is taken for a table. Returns gzip too, which IDX files may be compressed by. Throws FormatError,
/// saying what it is, for all others.
FileKind kind_of(std::span<const std::byte> bytes, const std::string& name);
/// The same of a file. Throws FileError as well if it cannot be read.
FileKind kind_of_file(const std::string& path);

/// Whether such a file has arrays in it that can be taken out.
bool has_arrays(FileKind kind);

}  // namespace cornu::tool
