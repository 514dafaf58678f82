#include "plugin/elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "name this machine's ELF number here"
#endif

static bool within(uint64_t at, uint64_t length, size_t size)
{
    return at <= size && length <= size - at;
}

int elf_check(const uint8_t *bytes, size_t size, struct reason *why)
{
    ElfW(Ehdr) header;
    if (size < sizeof header || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return fail(why, ACCORD_EFORMAT, "it is not an ELF file");
    memcpy(&header, bytes, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != MACHINE)
        return fail(why, ACCORD_EFORMAT, "it was built for another machine (ELF machine %u)",
                    header.e_machine);
    if (header.e_type != ET_DYN)
        return fail(why, ACCORD_EFORMAT, "it is not a shared object (ELF type %u)", header.e_type);
    if (header.e_phentsize != sizeof(ElfW(Phdr)) || !header.e_phnum ||
        !within(header.e_phoff, (uint64_t)header.e_phnum * sizeof(ElfW(Phdr)), size))
        return fail(why, ACCORD_EFORMAT, "its program headers are cut off");
    for (unsigned i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) part;
        memcpy(&part, bytes + header.e_phoff + i * sizeof part, sizeof part);
        if (!within(part.p_offset, part.p_filesz, size))
            return fail(why, ACCORD_EFORMAT, "it is cut off: %zu bytes, but segment %u ends beyond them",
                        size, i);
    }
    if (header.e_shnum && !within(header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize, size))
        return fail(why, ACCORD_EFORMAT, "it is cut off: its section headers lie beyond %zu bytes", size);
    return 0;
}
