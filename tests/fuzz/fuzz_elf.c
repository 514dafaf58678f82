/* A plugin's file, before the dynamic linker sees it. */
#include "plugin/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reason why;
    elf_check(data, size, &why);
    return 0;
}
