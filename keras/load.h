#pragma once

#include "cornu/core/compiler.h"

#include <cstddef>
#include <span>
#include <string>

#include "cornu/models/sequential.h"

/// Reads Keras's files. Built as a separate library, cornu::keras, with libhdf5 and libzip. docs/keras.md lists the
/// layers and options that are read.
namespace cornu::keras {

struct LoadWeightsOptions {
  /// True: all weights must fit, or nothing is changed. False: read those that fit.
  bool strict = true;
};

/// Reads the weights of a .weights.h5, .keras or older .h5 file into a model with the same layers as the one in Keras.
/// A layer's variables are found by its class and its position among the layers of this class, as in Keras; names do
/// not count. A model whose only layer is a struct with layers stands for a subclassed keras.Model, with the names in
/// `layers()` as the names of its attributes. State of optimizers, metrics and random numbers is not read.
/// Throws FileError if the file cannot be read, FormatError if it is damaged or not one of these, StateError if the
/// model is not built, and ValueError with the full report if `strict` and a weight does not fit.
WeightsReport load_weights(Sequential& model, const std::string& file, const LoadWeightsOptions& options = {});

}  // namespace cornu::keras
