// Creates, trains for one step and destroys 10,000 models, and prints by how many bytes the process has grown.

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

/// Returns malloc's free memory to the system first, since it is not growth.
double resident_bytes() {
  malloc_trim(0);
  return bench::memory("VmRSS:");
}

}  // namespace

int main() {
  for (int i = 0; i < 100; ++i) make_and_train_one();  // fills caches that live as long as the process
  const double before = resident_bytes();
  for (int i = 0; i < 10'000; ++i) make_and_train_one();
  std::printf("{\"program\": \"many_models\", \"growth_bytes\": %.0f}\n", resident_bytes() - before);
}
