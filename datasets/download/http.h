#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "cornu/datasets/download/download.h"

namespace cornu::detail {

/// Downloads a URL and passes its body to `body` piece by piece, with the progress so far, within the limits of
/// `options`. Returns nothing on success, and else the error; the pieces must then be discarded. An exception from
/// `body` aborts the transfer and is passed on.
std::optional<std::string> http_get(const std::string& url, const DownloadOptions& options,
                                    const std::function<void(std::span<const std::byte>, DownloadProgress)>& body);

}  // namespace cornu::detail
