// A plugin that contains Cornu, like a Python module or a JNI library.
#include <cornu/cornu.h>

using namespace cornu;

/// Returns the loss on unseen digits after a short training, or -1 after an error.
extern "C" double train_and_evaluate() {
  try {
    const auto [train, test] = datasets::digits({.samples = 300});
    Sequential model{Input{28, 28}, Flatten{}, Dense{10, softmax}};
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    model.fit(train, {.epochs = 2, .verbose = Verbose::silent, .threads = 2});
    try {  // errors must be catchable by type
      model.fit(test, {.batch_size = 0});
    } catch (const ValueError&) {
      return model.evaluate(test)["loss"];
    }
  } catch (const Error&) {
  }
  return -1;
}
