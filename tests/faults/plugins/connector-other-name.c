/* Says a name that its file does not have. */
#define FAULT_NAME "good"
#include "good.h"
