// 10,000 models made, trained a step and destroyed: prints by how many bytes the process has grown meanwhile.

#include <cornu/cornu.h>
#include <malloc.h>

#include <cstdio>

#include "cornu/bench/workload.h"

using namespace cornu;

namespace {

void make_and_train_one() {
  Sequential model{Input{784}, Dense{128, relu}, Dense{10}, Softmax{}};
  model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
  model.train_on_batch(Tensor::full({32, 784}, 0.5), Tensor(Shape{32}));
}

/// What malloc keeps for later is given back first: that is no growth.
double resident_bytes() {
  malloc_trim(0);
  return bench::memory("VmRSS:");
}

}  // namespace

int main() {
  for (int i = 0; i < 100; ++i) make_and_train_one();  // what is kept once and for all
  const double before = resident_bytes();
  for (int i = 0; i < 10'000; ++i) make_and_train_one();
  std::printf("{\"program\": \"many_models\", \"growth_bytes\": %.0f}\n", resident_bytes() - before);
}
