#include "cornu/models/adapt.h"

#include "cornu/datasets/batches.h"

namespace cornu {

void adapt(Normalization& layer, DatasetRef data) {
  constexpr Index batch_size = 1024;
  Batcher batches(data, {.batch_size = batch_size});
  layer.reset_state();
  while (const Batch* batch = batches.next()) layer.update_state(batch->x);
}

}  // namespace cornu
