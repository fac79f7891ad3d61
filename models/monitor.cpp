#include "cornu/models/monitor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "cornu/core/error.h"

namespace cornu::detail {

bool is_to_grow(const std::string& monitor, MonitorMode mode) {
  if (mode != MonitorMode::automatic) return mode == MonitorMode::max;
  constexpr std::array<std::string_view, 7> growing{"acc", "auc", "precision", "recall", "f1", "r2", "io_u"};
  return std::any_of(growing.begin(), growing.end(),
                     [&](std::string_view part) { return monitor.find(part) != std::string::npos; });
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
