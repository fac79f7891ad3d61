#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Whether larger (max) or smaller (min) values are better. `automatic` uses the direction the metric declares
/// (models/metrics/metric.h), and min for the loss. For a metric without a direction, and for a value that a callback
/// logs, `automatic` is an error.
enum class MonitorMode { automatic, min, max };
constexpr std::array<std::string_view, 3> option_names(MonitorMode) { return {"auto", "min", "max"}; }

namespace detail {

/// True if larger values of `monitor` are better. Throws ValueError if the mode is automatic and `monitor` has no
/// direction.
bool is_to_grow(const char* callback, const std::string& monitor, MonitorMode mode, const Run& run);
/// True if `value` is better than `reference` by more than |min_delta|.
bool improves(double value, double reference, double min_delta, bool is_to_grow);
/// Infinity with the sign that every finite value improves on.
double worst(bool is_to_grow);
/// The monitored value, or null if the epoch lacks it because of validation_freq or because the run is stopping
/// (Ctrl-C). Otherwise throws ValueError for a missing value, listing the names available.
const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs);

}  // namespace detail

}  // namespace cornu
