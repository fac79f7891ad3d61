#include "cornu/core/kernels/team.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;

TEST(Team, RunsEveryJobOnceAndWaitsForAll) {
  for (const Index size : {1, 2, 3, 5}) {
    detail::Team team(size);
    EXPECT_EQ(team.size(), size);
    std::vector<int> done(static_cast<std::size_t>(size));
    for (int round = 1; round <= 1000; ++round) {
      team.run(size, [&](Index member) { ++done[static_cast<std::size_t>(member)]; });
      for (const int count : done) ASSERT_EQ(count, round);
    }
  }
}

TEST(Team, RunsTheFirstJobOnTheCallersThread) {
  detail::Team team(3);
  std::vector<std::thread::id> ids(3);
  team.run(3, [&](Index member) { ids[static_cast<std::size_t>(member)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_NE(ids[1], ids[0]);
  EXPECT_NE(ids[2], ids[1]);
}

TEST(Team, RunsFewerJobsThanItHasThreads) {
  detail::Team team(4);
  std::vector<int> done(4);
  team.run(2, [&](Index member) { ++done[static_cast<std::size_t>(member)]; });
  EXPECT_EQ(done, (std::vector<int>{1, 1, 0, 0}));
}

TEST(Team, WakesSleepingThreads) {
  detail::Team team(3);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // long enough for all threads to sleep
    std::vector<int> done(3);
    team.run(3, [&](Index member) { done[static_cast<std::size_t>(member)] = 1; });
    EXPECT_EQ(done, (std::vector<int>{1, 1, 1}));
  }
}

TEST(Team, WaitsForALongJob) {
  detail::Team team(2);
  bool done = false;
  team.run(2, [&](Index member) {
    if (member == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST(Team, RethrowsTheFirstExceptionAndStaysUsable) {
  detail::Team team(3);
  for (int round = 0; round < 2; ++round) {
    try {
      team.run(3, [](Index member) {
        if (member > 0) throw std::runtime_error(std::to_string(member));
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "1");
    }
    int done = 0;
    team.run(1, [&](Index) { ++done; });
    EXPECT_EQ(done, 1);
  }
}

TEST(Team, HasAtLeastOneMember) {
  expect_error<ValueError>([] { detail::Team team(0); }, "Team: 0 threads; there must be at least 1");
  EXPECT_GE(detail::available_cores(), 1);
}

}  // namespace
}  // namespace cornu
