#include "cornu/core/kernels/blas_buffers.h"

#include <gtest/gtest.h>

#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <thread>

#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/team.h"
#include "cornu/core/tensor.h"

// Tests of running out of address space. Each runs in a new process with a limit (ulimit -v) below what OpenBLAS maps.

#if defined(__linux__) && !defined(CORNU_SANITIZED)

extern "C" int openblas_get_parallel();  // 0: built without threads; all products share one buffer

namespace cornu {
namespace {

constexpr Index large = 150;

Tensor product(Index rows) {
  const Tensor a = Tensor::full({rows, large}, 1), b = Tensor::full({large, large}, 1);
  Tensor result({rows, large});
  gemm(ConstView(a), ConstView(b), overwrite(View(result)));
  return result;
}

/// The text of the bad_alloc thrown by a product; empty if it throws nothing.
std::string failure_of_product(Index rows) {
  try {
    return product(rows)[0] == static_cast<Real>(large) ? "" : "a wrong product";
  } catch (const std::bad_alloc& error) {
    return error.what();
  }
}

rlim_t address_space() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

/// Limits the address space to the current size plus `megabytes` MiB. An alarm kills a process that hangs.
void leave(rlim_t megabytes) {
  alarm(60);
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = address_space() + (megabytes << 20);
  setrlimit(RLIMIT_AS, &limit);
}

void end_restriction() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
}

[[noreturn]] void end(bool as_expected) { std::_Exit(as_expected ? 0 : 1); }

bool is_out_of_address_space(const std::string& failure) {
  std::fprintf(stderr, "%s\n", failure.c_str());
  return failure.find("OpenBLAS needs 128 MiB of address space for each thread") == 0;
}

class BlasBuffers : public ::testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // a new process, in which OpenBLAS has no buffers yet
    // With more threads, OpenBLAS's own threads take buffers at any time.
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
  }
  void TearDown() override {
    unsetenv("OPENBLAS_NUM_THREADS");
    unsetenv("OMP_NUM_THREADS");
  }
};

TEST_F(BlasBuffers, ThrowsWithoutAddressSpaceAndRecoversLater) {
  EXPECT_EXIT(
      {
        leave(100);
        const bool refused =
            is_out_of_address_space(failure_of_product(large)) && is_out_of_address_space(failure_of_product(large));
        // A product of one row does not use OpenBLAS.
        const bool multiplies_one_row = failure_of_product(1).empty();
        end_restriction();
        end(refused && multiplies_one_row && failure_of_product(large).empty());
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(BlasBuffers, ThrowsInAThreadOfATeam) {
  EXPECT_EXIT(
      {
        detail::Team team(2);
        bool as_expected = failure_of_product(large).empty();
        leave(100);
        std::string failure;
        try {
          team.run(2, [](Index member) {
            if (member == 1) product(large);
          });
        } catch (const std::bad_alloc& error) {
          failure = error.what();
        }
        as_expected = as_expected && (is_out_of_address_space(failure) || openblas_get_parallel() == 0);
        as_expected = as_expected && failure_of_product(large).empty();
        end_restriction();
        team.run(2, [](Index) { product(large); });
        end(as_expected);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(BlasBuffers, AThreadReusesTheBufferOfAFinishedThread) {
  EXPECT_EXIT(
      {
        const bool first = failure_of_product(large).empty();
        std::string second;
        std::thread([&] { second = failure_of_product(large); }).join();
        leave(100);
        for (int i = 0; i < 20 && second.empty(); ++i) {
          std::thread([&] { second = failure_of_product(large); }).join();
        }
        end(first && second.empty());
      },
      ::testing::ExitedWithCode(0), "");
}

/// Threads whose first products do not overlap share OpenBLAS's first buffer, and need a second one only when they do.
TEST_F(BlasBuffers, ThreadsWhoseFirstProductsDidNotOverlapDoNotHangLater) {
  EXPECT_EXIT(
      {
        detail::Team team(2);
        product(large);
        team.run(2, [](Index member) {
          if (member == 1) product(large);
        });
        leave(100);
        team.run(2, [](Index) {
          for (int i = 0; i < 700; ++i) product(large);
        });
        end(true);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cornu

#endif
