#define FAULT_NAME  "newer-minor"
#define FAULT_MINOR (ACCORD_ABI_MINOR + 1)
#include "good.h"
