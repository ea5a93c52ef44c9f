#include "fixtures/flag.h"
#include "reports/report.h"
