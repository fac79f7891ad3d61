#include "cornu/models/adapt.h"

#include <utility>

#include "cornu/datasets/batches.h"

namespace cornu {

void adapt(Normalization& layer, DatasetRef data) {
  constexpr Index batch_size = 1024;
  Batcher batches(data, {.batch_size = batch_size});
  Normalization adapted = layer;  // so that the layer is unchanged if the dataset throws
  adapted.reset_state();
  while (const Batch* batch = batches.next()) adapted.update_state(batch->x);
  layer = std::move(adapted);
}

}  // namespace cornu
