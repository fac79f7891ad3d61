#pragma once

#include <vector>

#include "cornu/keras/hdf5_file.h"
#include "cornu/models/sequential.h"

/// Keras's older files of weights and models (.h5), which list their layers and weights in attributes.
namespace cornu::keras::detail {

/// True for such a file.
bool is_old(const Hdf5File& file);

/// The tensors of such a file under the names of the model's parameters. As in Keras, the layers that have weights are
/// matched by their order, and so are the weights of each. Throws FormatError if the file contradicts itself,
/// ValueError if the numbers of layers or of weights differ.
std::vector<RawTensor> old_weights(const Hdf5File& file, Sequential& model);

}  // namespace cornu::keras::detail
