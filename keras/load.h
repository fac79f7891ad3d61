#pragma once

#include "cornu/core/compiler.h"

#include <cstddef>
#include <span>
#include <string>

#include "cornu/models/sequential.h"

/// Reads Keras's files. Built as a separate library, cornu::keras, with libhdf5 and libzip. docs/keras.md lists the
/// layers and options that are read.
namespace cornu::keras {

/// Rebuilds the model of a .keras file, or of an .h5 file of a whole model, with its weights. Sequential and functional
/// models of layers that Cornu has are read; what is read is data, and no code in the file is run.
/// A functional model that is not a chain of layers becomes a model of one Graph (layers/merging/graph.h) called
/// "graph". Several inputs are those of Inputs: predict takes pack({a, b}). Several outputs are packed in the same way.
/// If all of the compile settings are known, the model is compiled with them, with a new optimizer. Otherwise it is not
/// compiled, and a warning says what is not known.
/// Throws FileError if the file cannot be read. Throws FormatError for a damaged file, and for a model with layers or
/// options that Cornu does not have, all of which are named. The memory of the model is limited as for
/// Sequential::load.
Sequential load(const std::string& file, const LoadOptions& options = {});
/// The same from memory; errors call it `name`.
Sequential parse(std::span<const std::byte> bytes, const std::string& name = "model", const LoadOptions& options = {});

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
