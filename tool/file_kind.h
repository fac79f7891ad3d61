#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace cornu::tool {

/// Those with arrays in them come first.
enum class FileKind { safetensors, onnx, npy, npz, idx, png, pgm, csv };

/// What the bytes of a file are: the first ones tell, and its name only where they do not. Throws FormatError if it is
/// none of these.
FileKind kind_of(std::span<const std::byte> bytes, const std::string& name);
/// The same of a file. Throws FileError as well if it cannot be read.
FileKind kind_of_file(const std::string& path);

/// Whether such a file has arrays in it that can be taken out.
bool has_arrays(FileKind kind);

/// As in "a PNG image".
const char* name_of(FileKind kind);

}  // namespace cornu::tool
