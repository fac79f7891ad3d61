#include "cornu/models/sharing.h"

#include <gtest/gtest.h>

#include "cornu/core/tensor.h"

namespace cornu {
namespace {

bool operator==(const Sharding& a, const Sharding& b) { return a.size == b.size && a.count == b.count; }

// 784-128-10: what its samples and its layers' outputs are, and its parameters.
constexpr Index mlp_numbers = 784 + 128 + 10, mlp_parameters = 784 * 128 + 128 + 1280 + 10;
// LeNet for images of 28 x 28.
constexpr Index lenet_numbers = 784 + 2 * 4704 + 1176 + 2 * 1600 + 400 + 2 * 204 + 10, lenet_parameters = 61706;

TEST(Sharding, LeavesASmallBatchWhole) {
  for (const Index threads : {1, 2, 64}) {
    EXPECT_TRUE(divide({32, mlp_numbers, mlp_parameters}, threads, 0) == (Sharding{32, 1}));
    EXPECT_TRUE(divide({96, mlp_numbers, mlp_parameters}, threads, 0) == (Sharding{96, 1})) << "a step of 0.3 ms";
    EXPECT_TRUE(divide({1, mlp_numbers, mlp_parameters}, threads, 0) == (Sharding{1, 1}));
    EXPECT_TRUE(divide({1000, 2, 30}, threads, 0) == (Sharding{1000, 1})) << "too little to do";
  }
}

TEST(Sharding, GivesEachThreadAShardThatIsWorthIt) {
  EXPECT_TRUE(divide({128, mlp_numbers, mlp_parameters}, 1, 0) == (Sharding{128, 1}));
  EXPECT_TRUE(divide({128, mlp_numbers, mlp_parameters}, 2, 0) == (Sharding{64, 2}));
  EXPECT_TRUE(divide({256, mlp_numbers, mlp_parameters}, 64, 0) == (Sharding{64, 4}));
  EXPECT_TRUE(divide({131, mlp_numbers, mlp_parameters}, 2, 0) == (Sharding{66, 2}));
  EXPECT_TRUE(divide({64, lenet_numbers, lenet_parameters}, 2, 0) == (Sharding{32, 2}));
}

TEST(Sharding, KeepsShardsInTheCacheWhereGradientsAreSmall) {
  const Sharding one = divide({60000, 794, 7850}, 1, 0), two = divide({60000, 794, 7850}, 2, 0);
  EXPECT_TRUE(one == two) << "the same sums whatever the number of threads";
  EXPECT_LT(one.size * 794 * static_cast<Index>(sizeof(Real)), 1 << 20);
  EXPECT_EQ(one.count, (60000 + one.size - 1) / one.size);
  EXPECT_TRUE(divide({60000, mlp_numbers, mlp_parameters}, 1, 0) == (Sharding{60000, 1}));
}

TEST(Sharding, TakesTheSizeThatIsGiven) {
  EXPECT_TRUE(divide({100, 2, 30}, 1, 30) == (Sharding{30, 4}));
  EXPECT_TRUE(divide({100, 2, 30}, 2, 1000) == (Sharding{100, 1}));
  EXPECT_TRUE(divide({60000, 794, 7850}, 2, 60000) == (Sharding{60000, 1}));
}

/// What the choice is after this many jobs that take the given times.
bool choice_after(int jobs, double shared, double alone, SharingChoice& choice) {
  for (int i = 0; i < jobs; ++i) choice.took(choice.shares() ? shared : alone);
  return choice.shares();
}

TEST(SharingChoice, KeepsTheFasterWay) {
  SharingChoice faster, slower;
  EXPECT_TRUE(choice_after(100, 1, 2, faster));
  EXPECT_FALSE(choice_after(100, 2, 1, slower));
}

TEST(SharingChoice, TriesAgain) {
  SharingChoice choice;
  EXPECT_TRUE(choice_after(100, 1, 2, choice));
  EXPECT_FALSE(choice_after(1000, 2, 1, choice));
  EXPECT_TRUE(choice_after(1000, 1, 2, choice));
}

TEST(SharingChoice, PassesOverASingleSlowTime) {
  SharingChoice choice;
  choice.took(100);  // shared, and the first: memory had to be found
  EXPECT_TRUE(choice_after(99, 1, 2, choice));
}

}  // namespace
}  // namespace cornu
