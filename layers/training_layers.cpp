#include "cornu/layers/training_layers.h"

#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/augmentation/random_rotation.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/augmentation/random_zoom.h"
#include "cornu/layers/input.h"
#include "cornu/layers/regularization/dropout.h"

namespace cornu::detail {

namespace {

template <class... Layers>
bool is_any_of(const AnyLayer& layer) {
  return (... || (layer.as<Layers>() != nullptr));
}

}  // namespace

bool is_for_training(const AnyLayer& layer) {
  return is_any_of<Dropout, Input, RandomErasing, RandomFlip, RandomRotation, RandomTranslation, RandomZoom>(layer);
}

}  // namespace cornu::detail
