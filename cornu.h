#pragma once

/// Cornu: a tiny neural network framework. This header brings all of it.

#include "cornu/core/eager.h"
#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/core/ops.h"
#include "cornu/core/random.h"
#include "cornu/core/shape.h"
#include "cornu/core/tape.h"
#include "cornu/core/tensor.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/dropout.h"
#include "cornu/layers/flatten.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/input.h"
#include "cornu/layers/layer.h"
#include "cornu/layers/reshape.h"
