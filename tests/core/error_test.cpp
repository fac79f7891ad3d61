#include "cornu/core/error.h"

#include <gtest/gtest.h>

#include <string>

#include "cornu/core/shape.h"

namespace cornu {
namespace {

TEST(Error, AMessageTakesNumbersTextAndWhateverHasAToString) {
  EXPECT_EQ(message("{}: {} of {} at {}", "fit", 3, Shape{2, 3}, 0.5), "fit: 3 of (2, 3) at 0.5");
  EXPECT_EQ(message("{:.2f} and {:>4}", 2.0f / 3, 7), "0.67 and    7");
  EXPECT_EQ(message("{}", std::string("a {} inside an argument stays")), "a {} inside an argument stays");
}

}  // namespace
}  // namespace cornu
