#include "cornu/core/warning.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>

namespace cornu {

namespace {

void to_stderr(std::string_view text) {
  const std::string line = "cornu: warning: " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::atomic<WarningHandler> current = to_stderr;

}  // namespace

WarningHandler set_warning_handler(WarningHandler handler) { return current.exchange(handler); }

void detail::warn(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> reported;
  {
    const std::lock_guard lock(mutex);
    if (!reported.emplace(text).second) return;
  }
  if (const WarningHandler handler = current) handler(text);
}

}  // namespace cornu
