// Looks right, where it may not.
#pragma once

#include "properties/verdict.h"
