# Warnings are errors; hardening as Debian does it, and a little more.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
    -fno-strict-aliasing -fstack-protector-strong -fno-omit-frame-pointer)
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fstack-clash-protection -fcf-protection)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT ACCORD_SANITIZE)
    add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(ACCORD_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
    add_link_options(-fsanitize=address,undefined)
endif()
if(ACCORD_FAULTS)
    add_compile_definitions(ACCORD_FAULTS)
endif()
if(ACCORD_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link) # the code under test counts its branches too, not the target alone
endif()
