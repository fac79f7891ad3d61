#pragma once

#include <cstdint>
#include <string_view>

namespace cornu {

/// CRC-32C (Castagnoli polynomial, 0x1EDC6F41). Source: RFC 3720, section 12.1 and appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace cornu
