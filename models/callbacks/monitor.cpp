#include "cornu/models/callbacks/monitor.h"

#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"

namespace cornu::detail {

bool is_to_grow(const char* callback, const std::string& monitor, MonitorMode mode, const Run& run) {
  if (mode != MonitorMode::automatic) return mode == MonitorMode::max;
  for (std::size_t i = 0; i < run.metrics.size(); ++i) {
    if (monitor != run.metrics[i] && monitor != "val_" + run.metrics[i]) continue;
    const Direction direction = i < run.directions.size() ? run.directions[i] : Direction::unknown;
    require<ValueError>(
        direction != Direction::unknown,
        "{}: the metric {} does not declare whether larger or smaller \"{}\" is better; set .mode = max or min, "
        "or give the metric a member: static constexpr Direction direction = Direction::up",
        callback, run.metrics[i], monitor);
    return direction == Direction::up;
  }
  std::vector<std::string> names = run.metrics;
  if (run.validation_freq > 0) {
    for (const std::string& name : run.metrics) names.push_back("val_" + name);
  }
  throw ValueError(
      message("{}: there is no \"{}\" to monitor; there are: {} (if a callback puts it in the logs, set "
              ".mode = max or min)",
              callback, monitor, listed(names)));
}

bool improves(double value, double reference, double min_delta, bool is_to_grow) {
  return is_to_grow ? value - std::abs(min_delta) > reference : value + std::abs(min_delta) < reference;
}

double worst(bool is_to_grow) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return is_to_grow ? -infinity : infinity;
}

const double* monitored(const char* callback, const std::string& monitor, const Run& run, Index epoch,
                        const Logs& logs) {
  const double* value = logs.find(monitor);
  if (value != nullptr || run.stop_training) return value;
  const bool of_validation = monitor.starts_with("val_");
  if (of_validation && run.validation_freq > 1 && (epoch + 1) % run.validation_freq != 0) return nullptr;
  throw ValueError(message("{}: there is no \"{}\" to monitor; there are: {}{}", callback, monitor, logs.names(),
                           of_validation && run.validation_freq == 0
                               ? " (fit was given neither validation_data nor validation_split)"
                               : ""));
}

}  // namespace cornu::detail
