#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/models/sequential.h"

/// The smallest model, for tests of callbacks.
namespace cornu {

/// y = 2 x at eight points, which a single weight can learn.
inline const TensorDataset line(Tensor({8, 1}, {-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1}),
                                Tensor({8, 1}, {-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2}));

inline Sequential line_model(double learning_rate = 0.1) {
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{.learning_rate = learning_rate}, .loss = MeanSquaredError{}});
  return model;
}

inline FitOptions quiet(Index epochs, std::vector<AnyCallback> callbacks) {
  return {.batch_size = 2, .epochs = epochs, .verbose = Verbose::silent, .callbacks = std::move(callbacks)};
}

inline Logs logs_of(std::initializer_list<Logs::Entry> entries) {
  Logs logs;
  for (const Logs::Entry& entry : entries) logs.set(entry.name, entry.value);
  return logs;
}

}  // namespace cornu
