#pragma once

#include <string>

#include "cornu/models/callback.h"

namespace cornu {

/// Which way what a callback monitors is to go. `automatic`: names with "acc", "auc", "precision", "recall" or "f1" in
/// them are to grow, all others to shrink.
enum class MonitorMode { automatic, min, max };

namespace detail {

bool is_to_grow(MonitorMode mode, const std::string& monitor);

/// What is monitored, null in an epoch that has none for a good reason: validation_freq, or Ctrl-C. Throws ValueError,
/// with the callback's name, listing the names there are, in any other that has none.
const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs);

}  // namespace detail
}  // namespace cornu
