#define FAULT_NAME    "missing-slot"
#define FAULT_DELIVER NULL
#include "good.h"
