#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "cornu/core/shape.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/numbers.h"

namespace cornu::tool {

/// Reads a PNG or PGM image as a sample of shape `input`, whose last or first axis counts the channels. Throws
/// ShapeError if the model takes no images or images of another size.
Numbers read_image(std::span<const std::byte> bytes, const std::string& name, FileKind kind,
                   const std::optional<Shape>& input);

}  // namespace cornu::tool
