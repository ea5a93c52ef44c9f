// Includes from the left and from beside itself.
#pragma once

#include "replay/step.h"
