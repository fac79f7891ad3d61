#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "cornu/datasets/download/download.h"

namespace cornu::detail {

/// Hands the body of what the url has to `body`, piece by piece, with the progress so far, under the limits of
/// `options`. Returns nothing if all of it came, and else what went wrong; the pieces are worth nothing then.
/// What `body` throws ends the transfer and is passed on.
std::optional<std::string> http_get(const std::string& url, const DownloadOptions& options,
                                    const std::function<void(std::span<const std::byte>, DownloadProgress)>& body);

}  // namespace cornu::detail
