#pragma once

/// Cornu: a tiny neural network framework. This header brings all of it.

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/core/shape.h"
#include "cornu/core/tensor.h"
