// A plugin with Cornu in it, as a Python module or a JNI library would be.
#include <cornu/cornu.h>

using namespace cornu;

/// The loss on unseen digits after a short training, less than 0 where an error came.
extern "C" double train_and_evaluate() {
  try {
    const auto [train, test] = datasets::digits({.samples = 300});
    Sequential model{Input{28, 28}, Flatten{}, Dense{10, softmax}};
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    model.fit(train, {.epochs = 2, .verbose = Verbose::silent, .threads = 2});
    try {  // errors are caught by their types, too
      model.fit(test, {.batch_size = 0});
    } catch (const ValueError&) {
      return model.evaluate(test)["loss"];
    }
  } catch (const Error&) {
  }
  return -1;
}
