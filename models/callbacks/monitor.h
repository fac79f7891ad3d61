#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Whether larger (max) or smaller (min) values are better. `automatic` uses the direction the metric declares
/// (models/metrics/metric.h), and min for a loss. It is an error for a metric without a direction, and for values that
/// a callback logs.
enum class MonitorMode { automatic, min, max };
constexpr std::array<std::string_view, 3> option_names(MonitorMode) { return {"auto", "min", "max"}; }

namespace detail {

/// True if larger values of `monitor` are better. Throws ValueError if the mode is automatic and the run does not know.
bool is_to_grow(const char* callback, const std::string& monitor, MonitorMode mode, const Run& run);
/// True if `value` is better than `reference` by more than |min_delta|.
bool improves(double value, double reference, double min_delta, bool is_to_grow);
/// A value that every other one improves on.
double worst(bool is_to_grow);
/// The monitored value, or null in an epoch that legitimately lacks it: because of validation_freq or Ctrl-C. Throws
/// ValueError if there is no such name, listing the names available.
const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs);

}  // namespace detail

}  // namespace cornu
