#define FAULT_NAME  "wrong-major"
#define FAULT_MAJOR (ACCORD_ABI_MAJOR + 1)
#include "good.h"
