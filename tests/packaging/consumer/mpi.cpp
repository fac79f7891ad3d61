#include <cornu/cornu.h>
#include <cornu/mpi/world.h>

using namespace cornu;

int main() {
  const Distribution ranks = mpi::world();  // this process alone
  const TensorDataset data(Tensor({4, 1}, {0, 1, 2, 3}), Tensor({4, 1}, {1, 3, 5, 7}));
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
  const History history =
      model.fit(data, {.epochs = 2, .verbose = Verbose::silent, .distribution = ranks, .reproducible = true});
  const bool divides = mpi::part(data, ranks).size() == 4;
  return ranks.size() == 1 && divides && history["loss"][1] < history["loss"][0] ? 0 : 1;
}
