#include "fixtures/flag.h"
#include "harness/rehearsal.h"
