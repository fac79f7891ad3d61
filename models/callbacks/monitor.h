#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Whether larger (max) or smaller (min) values of the logs are better. `automatic` uses the direction that the metric
/// declares (models/metrics/metric.h); smaller is better for a loss. It is an error for a metric without a direction
/// and for a value that a callback puts in the logs.
enum class MonitorMode { automatic, min, max };
constexpr std::array<std::string_view, 3> option_names(MonitorMode) { return {"auto", "min", "max"}; }

namespace detail {

/// True if larger values of `monitor` are better. Throws ValueError if the mode is automatic and the direction is
/// unknown.
bool is_to_grow(const char* callback, const std::string& monitor, MonitorMode mode, const Run& run);
/// True if `value` is better than `reference` by more than |min_delta|.
bool improves(double value, double reference, double min_delta, bool is_to_grow);
/// The value on which every value improves: plus or minus infinity.
double worst(bool is_to_grow);
/// Returns the monitored value; null if the epoch lacks it because of validation_freq or Ctrl-C. Throws ValueError,
/// listing the names, if it is missing for any other reason.
const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs);

}  // namespace detail

}  // namespace cornu
