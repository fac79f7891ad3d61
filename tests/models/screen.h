#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "cornu/models/progress.h"
#include "cornu/tests/models/support.h"

namespace cornu::testing {

/// A file that can be read while it is written, and a clock that stands still.
struct Screen {
  std::FILE* file = std::tmpfile();
  double time = 1000;

  Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { std::fclose(file); }

  detail::ProgressDisplay::Clock clock() {
    return [this] { return time; };
  }
  /// Everything written and flushed since the last call.
  std::string text() {
    std::string result(1000000, ' ');
    const ssize_t count = pread(fileno(file), result.data(), result.size(), static_cast<off_t>(seen_));
    EXPECT_GE(count, 0);
    seen_ += static_cast<std::size_t>(count);
    result.resize(static_cast<std::size_t>(count));
    return result;
  }

 private:
  std::size_t seen_ = 0;
};

}  // namespace cornu::testing
