// A job for run.sh, to be started by mpirun: `mpi_job FOLDER TASK`. Trains a small network, with a backup after every
// second batch, and writes its weights to FOLDER/weights.safetensors. What else happens on some rank says TASK.

#include <cornu/cornu.h>
#include <cornu/mpi/world.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

using namespace cornu;

namespace {

/// Fails in the 30th batch, on rank 1 alone.
struct Fails {
  static constexpr bool on_every_rank = true;
  std::string how;
  Index batches = 0;

  void on_train_batch_end(Run&, Index, Logs&) {
    if (++batches != 30 || mpi::world().rank() != 1) return;
    if (how == "throw") throw ValueError("the disk is on fire");
    if (how == "exit") std::exit(3);
    if (how == "abort") std::abort();
  }
};

/// Slow enough to be killed in between.
struct Slow {
  void on_train_batch_end(Run&, Index, Logs&) const { std::this_thread::sleep_for(std::chrono::milliseconds(3)); }
};

void train(const std::string& folder, const std::string& task) {
  const Distribution ranks = mpi::world();
  const auto [all, test] = datasets::digits({.samples = 500});
  Sequential model({Input{28, 28}, Flatten{}, Dense{16, relu}, Dropout{0.2}, Dense{10, softmax}},
                   {.seed = static_cast<std::uint64_t>(ranks.rank())});  // fit gives all the weights of rank 0
  model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  FitOptions options{.batch_size = 50,
                     .epochs = 6,
                     .verbose = Verbose::line,
                     .shard_size = 8,
                     .distribution = ranks,
                     .reproducible = true};
  if (task == "other_options" && ranks.rank() == 1) options.batch_size = 40;
  if (task == "killed" || task == "resumed") {
    options.callbacks.push_back(BackupAndRestore{.backup_dir = folder + "/backup", .save_freq = 2});
    if (task == "killed") options.callbacks.push_back(Slow{});
    if (task == "resumed") options.callbacks.push_back(LambdaCallback{});
  } else if (task != "train" && task != "other_options") {
    options.callbacks.push_back(Fails{.how = task});
  }
  const History history = model.fit(all, options);
  const double accuracy = model.evaluate(test, {.distribution = ranks})["accuracy"];
  if (ranks.rank() == 0) {
    model.save_weights(folder + "/weights.safetensors");
    std::printf("accuracy %.3f, loss %.17g\n", accuracy, history["loss"].back());
  }
}

/// The parts of a dataset together have each sample once, and one rank of a node loads before the others.
void divide() {
  const Distribution ranks = mpi::world();
  const auto data = mpi::once_per_node([&] {
    std::printf("load\n");
    std::fflush(stdout);
    return datasets::digits({.samples = 103}).train;
  });
  std::printf("whole %lld\npart %lld\n", static_cast<long long>(data.size()),
              static_cast<long long>(mpi::part(data, ranks).size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string folder = argv[1], task = argv[2];
  const Distribution ranks = mpi::world();
  std::ofstream(folder + "/pid." + std::to_string(ranks.rank())) << getpid() << '\n';
  if (task == "divide") {
    divide();
  } else {
    train(folder, task);
  }
}
