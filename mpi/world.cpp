#include "cornu/mpi/world.h"

#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cornu/core/error.h"

namespace cornu::mpi {

namespace {

MPI_Datatype real_type() { return sizeof(Real) == sizeof(double) ? MPI_DOUBLE : MPI_FLOAT; }

/// MPI counts with int.
int count_of(std::size_t count) {
  require<ValueError>(count <= INT_MAX, "a message of {} bytes; MPI takes at most {}", count, INT_MAX);
  return static_cast<int>(count);
}

constexpr std::size_t most_at_once = std::size_t{1} << 30;  // bytes or elements of a message

void in_pieces(std::size_t size, auto call) {
  for (std::size_t first = 0; first < size; first += most_at_once) {
    call(first, static_cast<int>(std::min(most_at_once, size - first)));
  }
}

/// The ranks of a copy of MPI_COMM_WORLD, so that the program's own messages do not meet Cornu's. MPI's default error
/// handler, which ends all processes, stays in place.
class World final : public Communicator {
 public:
  World() {
    MPI_Comm_dup(MPI_COMM_WORLD, &communicator_);
    MPI_Comm_dup(MPI_COMM_WORLD, &for_exit_);
    MPI_Comm_split_type(communicator_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node_);
    MPI_Comm_rank(communicator_, &rank_);
    MPI_Comm_size(communicator_, &size_);
    threads_ = threads_of_this_rank();
  }

  Index rank() const override { return rank_; }
  Index size() const override { return size_; }
  Index threads() const override { return threads_; }
  MPI_Comm for_exit() const { return for_exit_; }
  MPI_Comm node() const { return node_; }

  void broadcast(std::span<std::byte> bytes) override {
    in_pieces(bytes.size(), [&](std::size_t first, int count) {
      MPI_Bcast(bytes.data() + first, count, MPI_BYTE, 0, communicator_);
    });
  }

  void all_gather(std::span<const std::byte> own, std::span<std::byte> all) override {
    count_of(all.size());
    const int count = count_of(own.size());
    MPI_Allgather(own.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, communicator_);
  }

  void gather(std::span<const std::byte> own, std::span<const Index> sizes, std::span<std::byte> all) override {
    std::vector<int> counts, places;
    std::size_t place = 0;
    for (const Index size : sizes) {
      counts.push_back(count_of(static_cast<std::size_t>(size)));
      places.push_back(count_of(place));
      place += static_cast<std::size_t>(size);
    }
    MPI_Gatherv(own.data(), count_of(own.size()), MPI_BYTE, all.data(), counts.data(), places.data(), MPI_BYTE, 0,
                communicator_);
  }

  void send(std::span<const std::byte> bytes, Index to) override {
    in_pieces(bytes.size(), [&](std::size_t first, int count) {
      MPI_Send(bytes.data() + first, count, MPI_BYTE, static_cast<int>(to), 0, communicator_);
    });
  }

  void receive(std::span<std::byte> bytes, Index from) override {
    in_pieces(bytes.size(), [&](std::size_t first, int count) {
      MPI_Recv(bytes.data() + first, count, MPI_BYTE, static_cast<int>(from), 0, communicator_, MPI_STATUS_IGNORE);
    });
  }

  void begin_sum(std::span<Real> values) override {
    in_pieces(values.size(), [&](std::size_t first, int count) {
      MPI_Iallreduce(MPI_IN_PLACE, values.data() + first, count, real_type(), MPI_SUM, communicator_,
                     &requests_.emplace_back());
    });
  }

  void progress() override {
    int done = 0;
    MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE);
  }

  void finish_sums() override {
    MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
    requests_.clear();
  }

 private:
  /// The cores that this rank may run on, divided by the ranks of this node that may run on one of them, too.
  Index threads_of_this_rank() const {
    cpu_set_t own;
    CPU_ZERO(&own);
    sched_getaffinity(0, sizeof own, &own);
    int ranks = 0;
    MPI_Comm_size(node_, &ranks);
    std::vector<cpu_set_t> all(static_cast<std::size_t>(ranks));
    MPI_Allgather(&own, sizeof own, MPI_BYTE, all.data(), sizeof own, MPI_BYTE, node_);
    Index sharing = 0;
    for (const cpu_set_t& other : all) {
      cpu_set_t both;
      CPU_AND(&both, &own, &other);
      sharing += CPU_COUNT(&both) > 0 ? 1 : 0;
    }
    return std::max(Index{1}, Index{CPU_COUNT(&own)} / std::max(Index{1}, sharing));
  }

  MPI_Comm communicator_ = MPI_COMM_NULL, for_exit_ = MPI_COMM_NULL, node_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  Index threads_ = 1;
  std::vector<MPI_Request> requests_;
};

World* the_world = nullptr;  // never deleted: it is used at the end of the program
std::terminate_handler former_handler = nullptr;

constexpr auto patience = std::chrono::seconds(10);

void sleep_until_killed(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

/// The first rank that fails tells why. Another one that fails for the same reason is ended before it does.
[[noreturn]] void on_terminate() {
  const std::exception_ptr error = std::current_exception();
  if (!error) {
    former_handler();
    std::abort();
  }
  std::string text = "an exception of an unknown type";
  bool is_of_peer = false;
  try {
    std::rethrow_exception(error);
  } catch (const PeerError& failure) {
    is_of_peer = true;
    text = failure.what();
  } catch (const std::exception& failure) {
    text = failure.what();
  } catch (...) {
  }
  if (is_of_peer) {
    sleep_until_killed(patience);
  } else if (the_world->rank() > 0) {
    sleep_until_killed(std::chrono::milliseconds(200 + 20 * std::min(the_world->rank(), Index{40})));
  }
  std::fprintf(stderr, "rank %lld of %lld: %s\n", static_cast<long long>(the_world->rank()),
               static_cast<long long>(the_world->size()), text.c_str());
  std::fflush(nullptr);
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

/// Ends MPI with the program. If it has failed, the other ranks get some time to end as well, and are then ended.
void on_program_end(int status, void*) {
  int is_over = 0;
  MPI_Finalized(&is_over);
  if (is_over != 0) return;
  if (status != 0) {
    MPI_Request request;
    MPI_Ibarrier(the_world->for_exit(), &request);
    int all_end = 0;
    for (const auto begin = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begin < patience;) {
      MPI_Test(&request, &all_end, MPI_STATUS_IGNORE);
      if (all_end != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (all_end == 0) MPI_Abort(MPI_COMM_WORLD, status);
  } else {
    MPI_Request request;
    MPI_Ibarrier(the_world->for_exit(), &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  }
  MPI_Finalize();
}

/// True if a launcher of MPI has started this process: Open MPI's mpirun, or one that uses PMIx or PMI (srun, mpiexec
/// of MPICH).
bool is_launched() {
  constexpr std::array names{"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"};
  return std::any_of(names.begin(), names.end(), [](const char* name) { return std::getenv(name) != nullptr; });
}

std::shared_ptr<Communicator> make_world() {
  int is_initialized = 0, is_over = 0, level = 0;
  MPI_Initialized(&is_initialized);
  MPI_Finalized(&is_over);
  require<StateError>(is_over == 0, "mpi::world: MPI is finalized");
  if (is_initialized == 0) {
    if (!is_launched()) return nullptr;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level);
  }
  MPI_Query_thread(&level);
  require<StateError>(level >= MPI_THREAD_FUNNELED,
                      "mpi::world: MPI was initialized without threads; use MPI_Init_thread with "
                      "MPI_THREAD_SERIALIZED");
  the_world = new World;
  if (is_initialized == 0) on_exit(on_program_end, nullptr);
  former_handler = std::set_terminate(on_terminate);
  return {the_world, [](Communicator*) {}};
}

}  // namespace

Distribution world() {
  static const Distribution ranks(make_world());
  return ranks;
}

DatasetSlice part(DatasetRef dataset, const Distribution& ranks) {
  const Index first = dataset.size() * ranks.rank() / ranks.size();
  return {dataset, first, dataset.size() * (ranks.rank() + 1) / ranks.size() - first};
}

void detail::first_on_node(const std::function<void()>& task) {
  if (world().communicator() == nullptr) return task();
  int rank = 0;
  MPI_Comm_rank(the_world->node(), &rank);
  std::exception_ptr failure;
  const auto attempt = [&] {
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  if (rank == 0) attempt();
  MPI_Barrier(the_world->node());
  if (rank != 0) attempt();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cornu::mpi
