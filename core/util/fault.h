/* Named points at which a test build kills itself: ACCORD_FAULT=NAME in the environment, or NAME:N for the N-th time
 * that the point is reached. Release builds have none. */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

void fault_point(const char *name);

#endif
