#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace cornu::testing {

/// The text of the `E` thrown by `action`. The test fails if it throws another type or nothing.
template <class E, class Action>
std::string error_of(Action&& action) {
  try {
    std::forward<Action>(action)();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error was thrown: " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

/// Runs `action` and expects an `E` with exactly this text.
template <class E, class Action>
void expect_error(Action&& action, std::string_view text) {
  EXPECT_EQ(error_of<E>(std::forward<Action>(action)), text);
}

}  // namespace cornu::testing
