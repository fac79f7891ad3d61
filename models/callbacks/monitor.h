#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Whether a value of the logs is to grow or to shrink. `automatic`: as the metric declares it
/// (models/metrics/metric.h); a loss is to shrink. For a metric without a direction, and for what a callback puts in
/// the logs, automatic is an error.
enum class MonitorMode { automatic, min, max };
constexpr std::array<std::string_view, 3> option_names(MonitorMode) { return {"auto", "min", "max"}; }

namespace detail {

/// Whether the value of this name is to grow. Throws ValueError where the mode is automatic and the run does not know.
bool is_to_grow(const char* callback, const std::string& monitor, MonitorMode mode, const Run& run);
/// Whether it is better than another one by more than min_delta, whatever the sign of that.
bool improves(double value, double reference, double min_delta, bool is_to_grow);
/// What anything improves on.
double worst(bool is_to_grow);
/// The number that a callback watches, null in an epoch that lacks it for a good reason: validation_freq or Ctrl-C.
/// Throws ValueError, listing the names there are, if there is no such name.
const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs);

}  // namespace detail

}  // namespace cornu
