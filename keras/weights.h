#pragma once

#include "cornu/keras/hdf5_file.h"
#include "cornu/models/sequential.h"

namespace cornu::keras::detail {

/// Sets the model's parameters to the values in a file of weights: Keras 3's, or Keras's older files with
/// "layer_names". Throws ValueError, changing nothing, if `strict` and a variable does not fit.
WeightsReport read_weights(const Hdf5File& file, Sequential& model, bool strict);

}  // namespace cornu::keras::detail
