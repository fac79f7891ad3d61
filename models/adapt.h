#pragma once

#include "cornu/datasets/dataset.h"
#include "cornu/layers/normalization/normalization.h"

namespace cornu {

/// Gives the layer the mean and the variance of a dataset's samples, which are gone through in batches:
/// `Normalization normalization; adapt(normalization, train);`. Throws ValueError for an empty dataset, and as
/// Normalization::adapt does.
void adapt(Normalization& layer, DatasetRef data);

}  // namespace cornu
