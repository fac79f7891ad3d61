#pragma once

#include "cornu/datasets/dataset.h"
#include "cornu/layers/normalization/normalization.h"

namespace cornu {

/// Sets the layer's mean and variance to those of the dataset's samples, which are read in batches: `Normalization
/// normalization; adapt(normalization, train);`. Throws ValueError for an empty dataset; otherwise as
/// Normalization::adapt.
void adapt(Normalization& layer, DatasetRef data);

}  // namespace cornu
