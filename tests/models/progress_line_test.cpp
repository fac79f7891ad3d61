#include "cornu/models/progress.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "cornu/tests/models/screen.h"

namespace cornu {
namespace {

using testing::logs_of;
using testing::Screen;

TEST(ProgressLine, IsOnePlainLinePerEpoch) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::line, 2, 1875, screen.file, screen.clock());
  display.epoch_begin(0);
  for (Index step = 1; step <= 1875; ++step) {
    screen.time += 0.002;
    display.step(step, logs_of({{"loss", 0.9}, {"accuracy", 0.1}}));
  }
  EXPECT_EQ(screen.text(), "");
  display.epoch_end(logs_of({{"loss", 0.41084}, {"accuracy", 0.88013}}));
  EXPECT_EQ(screen.text(), "Epoch 1/2 - 1875/1875 - 4s - 2ms/step - accuracy: 0.8801 - loss: 0.4108\n");
  display.epoch_begin(1);
  EXPECT_EQ(screen.text(), "");
}

TEST(ProgressLine, OmitsTheEpochIfThereIsOnlyOne) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  EXPECT_EQ(screen.text(), "");
  screen.time += 0.25;
  display.step(1, logs_of({{"loss", 2}}));
  display.epoch_end(logs_of({{"loss", 2}}));
  EXPECT_EQ(screen.text(), "1/1 - 0s - 250ms/step - loss: 2.0000\n");
}

TEST(ProgressLine, IsTheDefaultForAFile) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::automatic, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 2}}));
  display.epoch_end(logs_of({{"loss", 2}}));
  EXPECT_EQ(screen.text(), "1/1 - 0s - 0s/step - loss: 2.0000\n");
}

TEST(ProgressLine, ListsTrainingThenValidationThenCallbackValues) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 1}, {"accuracy", 1}}));
  display.epoch_end(
      logs_of({{"loss", 1}, {"accuracy", 1}, {"val_loss", 1}, {"val_accuracy", 1}, {"learning_rate", 1}, {"beta", 1}}));
  EXPECT_EQ(screen.text(),
            "1/1 - 0s - 0s/step - accuracy: 1.0000 - loss: 1.0000 - val_accuracy: 1.0000 - val_loss: 1.0000 - beta: "
            "1.0000 - learning_rate: 1.0000\n");
}

TEST(ProgressLine, WritesSmallNumbersWithAnExponent) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  const Logs logs = logs_of({{"a", 0.001},
                             {"b", 0.0010001},
                             {"c", -0.5},
                             {"d", 0},
                             {"e", -2.5e-7},
                             {"f", std::numeric_limits<double>::quiet_NaN()},
                             {"g", std::numeric_limits<double>::infinity()},
                             {"h", 12345.67891}});
  display.step(1, logs);
  display.epoch_end(logs);
  EXPECT_EQ(screen.text(),
            "1/1 - 0s - 0s/step - a: 1.0000e-03 - b: 0.0010 - c: -0.5000 - d: 0.0000e+00 - e: -2.5000e-07 - f: nan - "
            "g: inf - h: 12345.6789\n");
}

TEST(ProgressLine, TimePerStepExcludesTheFirstStepAndValidation) {
  for (const auto& [seconds, expected] :
       {std::pair{90.0, "90s"}, {1.0, "1s"}, {0.25, "250ms"}, {0.001, "1ms"}, {2.5e-5, "25us"}}) {
    Screen screen;
    screen.time = 0;
    detail::ProgressDisplay display(Verbose::line, 1, 3, screen.file, screen.clock());
    display.epoch_begin(0);
    screen.time += 100;  // the first one warms up
    display.step(1, {});
    screen.time += seconds;
    display.step(2, {});
    screen.time += seconds;
    display.step(3, {});
    screen.time += 1000;  // the validation
    display.epoch_end({});
    const std::string text = screen.text();
    EXPECT_NE(text.find("s - " + std::string(expected) + "/step\n"), std::string::npos) << text;
    EXPECT_TRUE(text.starts_with(seconds == 90  ? "3/3 - 1280s -"
                                 : seconds == 1 ? "3/3 - 1102s -"
                                                : "3/3 - 1100s -"))
        << text;
  }
}

/// 7 of 10 steps were done by a run that was interrupted; several ranks may report several steps at once.
TEST(ProgressLine, TimePerStepIsThatOfTheStepsOfThisRun) {
  for (const auto& [reported, time] :
       {std::pair<std::vector<Index>, const char*>{{8, 9, 10}, "500ms"}, {{10}, "500ms"}, {{8, 10}, "500ms"}}) {
    Screen screen;
    screen.time = 1000;
    detail::ProgressDisplay display(Verbose::line, 1, 10, screen.file, screen.clock());
    display.epoch_begin(0, 7);
    for (Index done = 7; const Index next : reported) {
      screen.time += 0.5 * static_cast<double>(next - std::exchange(done, next));
      display.step(next, logs_of({{"loss", 2}}));
    }
    display.epoch_end(logs_of({{"loss", 2}}));
    EXPECT_EQ(screen.text(), message("10/10 - 2s - {}/step - loss: 2.0000\n", time));
  }
}

TEST(ProgressLine, ShowsTheStepsOfAnInterruptedEpoch) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::line, 1, 100, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, {});
  display.step(2, {});
  display.epoch_end({});
  EXPECT_EQ(screen.text(), "  2/100 - 0s - 0s/step\n");
}

TEST(ProgressDisplay, PrintsNothingWhenSilent) {
  Screen screen;
  {
    detail::ProgressDisplay display(Verbose::silent, 3, 1, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, logs_of({{"loss", 1}}));
    display.epoch_end(logs_of({{"loss", 1}}));
  }
  EXPECT_EQ(screen.text(), "");
}

}  // namespace
}  // namespace cornu
