#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "cornu/core/random.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/support/temporary_folder.h"

// A process that is killed while it saves.

namespace cornu {
namespace {

TEST(KilledSaving, LeavesTheOldOrTheNewFileComplete) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = folder / "m.safetensors";
  const Sequential a({Input{40}, Dense{200}}, {.seed = 1}), b({Input{40}, Dense{200}}, {.seed = 2});
  const std::vector<Tensor> of_a = a.get_weights(), of_b = b.get_weights();
  a.save(path);
#ifdef CORNU_SANITIZED
  const int kills = 50;  // starting a process takes longer then
#else
  const int kills = 500;
#endif
  Rng rng(3);
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(i);
    // Other processes may be killed before they have saved anything. These save the same model repeatedly, so it is
    // known which model the file must hold; the first one is b, which was not there before.
    const bool has_saved = i % 5 == 0;
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      [&]() noexcept {  // an error ends the process, so that it does not continue with the remaining tests
        for (int turn = i;; turn += has_saved ? 2 : 1) {
          (turn % 2 == 0 ? b : a).save(path);
          if (turn == i && write(ends[1], "", 1) != 1) _exit(1);
        }
      }();
    }
    close(ends[1]);
    char byte = 0;
    if (has_saved) {
      EXPECT_EQ(read(ends[0], &byte, 1), 1) << "the process ended before it saved";
    }
    usleep(static_cast<useconds_t>(rng.below(20'000)));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    close(ends[0]);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the process ended before it was killed: " << status;
    const std::vector<Tensor> found = Sequential::load(path).get_weights();
    if (has_saved) {
      ASSERT_TRUE(found == (i % 2 == 0 ? of_b : of_a)) << "the process has saved, but the file holds another model";
    } else {
      ASSERT_TRUE(found == of_a || found == of_b);
    }
  }
}

}  // namespace
}  // namespace cornu
