# accord_add_plugin(NAME KIND SOURCES...)
#
# The module KIND-NAME.so, KIND being connector or policy; the target has the name KIND-NAME. Every symbol must resolve when
# it is loaded (-z now, -z defs): a missing one must not kill the process at its first call. It exports nothing but
# accord_plugin, and is never unloaded.
function(accord_add_plugin name kind)
    if(NOT kind MATCHES "^(connector|policy)$")
        message(FATAL_ERROR "accord_add_plugin(${name} ${kind}): the kind is connector or policy")
    endif()
    set(target ${kind}-${name})
    add_library(${target} MODULE ${ARGN})
    set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden)
    target_link_libraries(${target} PRIVATE Accord::sdk)
    target_link_options(${target} PRIVATE -Wl,-z,now -Wl,-z,nodelete)
    get_directory_property(options COMPILE_OPTIONS)
    if(NOT "${options} ${CMAKE_C_FLAGS}" MATCHES "-fsanitize") # their symbols are the executable's
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
endfunction()

# accord_add_plugin_test(NAME KIND [CONTRACT] SOURCES...)
#
# A test program with the plugin in it and the test kit around it (its allocations are counted, and made to fail), which
# ctest runs as test-KIND-NAME, or contract-KIND-NAME: one of each. cmocka is there.
function(accord_add_plugin_test name kind)
    set(plugin ${kind}-${name})
    set(sources ${ARGN})
    set(target test-${plugin})
    if(ARGV2 STREQUAL "CONTRACT")
        list(REMOVE_AT sources 0)
        set(target contract-${plugin})
    endif()
    add_executable(${target} ${sources} $<TARGET_OBJECTS:${plugin}>)
    target_link_libraries(${target} PRIVATE Accord::testkit-memory PkgConfig::cmocka
                                            $<TARGET_PROPERTY:${plugin},LINK_LIBRARIES>)
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(${target} PROPERTIES TIMEOUT 600)
endfunction()
