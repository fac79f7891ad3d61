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
