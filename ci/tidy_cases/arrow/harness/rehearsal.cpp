#include <fixtures/flag.h>

#include "step.h"
