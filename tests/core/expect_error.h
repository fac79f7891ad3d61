#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string_view>

namespace cornu::testing {

/// Runs `action` and expects an `E` with exactly this text.
template <class E, class Action>
void expect_error(Action action, std::string_view text) {
  try {
    action();
  } catch (const E& error) {
    EXPECT_EQ(error.what(), text);
    return;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error came: " << error.what();
    return;
  }
  ADD_FAILURE() << "nothing was thrown; expected: " << text;
}

}  // namespace cornu::testing
