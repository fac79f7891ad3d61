#include "cornu/core/image_options.h"

#include "cornu/core/error.h"

namespace cornu {

std::string to_string(const Size2D& size) { return message("({}, {})", size.height, size.width); }

}  // namespace cornu
