#include "cornu/models/logs.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;

std::vector<std::string> names(const Logs& logs) {
  std::vector<std::string> result;
  for (const Logs::Entry& entry : logs) result.push_back(entry.name);
  return result;
}

TEST(Logs, KeepTheOrderInWhichNamesWereFirstSet) {
  Logs logs;
  logs.set("loss", 1);
  logs.set("accuracy", 0.5);
  logs.set("loss", 2);
  EXPECT_EQ(names(logs), (std::vector<std::string>{"loss", "accuracy"}));
  EXPECT_EQ(logs["loss"], 2);
  EXPECT_EQ(logs["accuracy"], 0.5);
  EXPECT_EQ(logs.size(), 2u);
}

TEST(Logs, ListTheNamesInTheErrorForAMissingOne) {
  Logs logs;
  EXPECT_EQ(logs.find("loss"), nullptr);
  EXPECT_EQ(error_of<ValueError>([&] { logs["loss"]; }), "logs: there is no \"loss\"; there are: none");
  logs.set("loss", 1);
  logs.set("val_loss", 2);
  EXPECT_EQ(error_of<ValueError>([&] { logs["accuracy"]; }),
            "logs: there is no \"accuracy\"; there are: loss, val_loss");
}

TEST(Logs, AreEmptyOnceCleared) {
  Logs logs;
  logs.set("loss", 1);
  logs.clear();
  EXPECT_TRUE(logs.empty());
  EXPECT_EQ(logs.find("loss"), nullptr);
}

TEST(History, HasAListForEachNameAndTheEpochs) {
  History history;
  Logs logs;
  logs.set("loss", 3);
  history.append(4, logs);
  logs.set("loss", 2);
  logs.set("val_loss", 7);
  history.append(5, logs);
  EXPECT_EQ(history["loss"], (std::vector<double>{3, 2}));
  EXPECT_EQ(history["val_loss"], (std::vector<double>{7}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{4, 5}));
  EXPECT_EQ(error_of<ValueError>([&] { history["accuracy"]; }),
            "history: there is no \"accuracy\"; there are: loss, val_loss");
}

TEST(History, GivesTheListOfATemporaryByValue) {
  const auto losses = [] {
    History history;
    history.history["loss"] = {3, 2};
    return history;
  };
  const std::vector<double>& list = losses()["loss"];  // as from the result of fit; the reference keeps it alive
  EXPECT_EQ(list, (std::vector<double>{3, 2}));
}

}  // namespace
}  // namespace cornu
