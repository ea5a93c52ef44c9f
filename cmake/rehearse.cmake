# What every folder's CMakeLists.txt uses: a library a folder, one test executable a folder, tests beside the code, and fuzz
# targets in a folder fuzz/.
include(GoogleTest)

# rehearse_library(NAME SOURCES ... [LINK ...]): the folder's library. Every header beside a source is checked to compile
# alone by the target all_verify_interface_header_sets.
function(rehearse_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  target_link_libraries(${name} PUBLIC rehearse_options ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# rehearse_test(NAME LABEL unit|system SOURCES ... LINK ... [PER_SUITE Suite...]): a GoogleTest executable. Without
# PER_SUITE every test is a ctest of its own; with it a ctest a suite, so that an expensive fixture starts once.
function(rehearse_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK;PER_SUITE;DEFINITIONS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE rehearse_options ${arg_LINK} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    REHEARSE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" REHEARSE_BINARY_DIR="${PROJECT_BINARY_DIR}" ${arg_DEFINITIONS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(arg_PER_SUITE)
    foreach(suite ${arg_PER_SUITE})
      add_test(NAME ${name}.${suite} COMMAND ${name} --gtest_filter=${suite}.*)
      set_tests_properties(${name}.${suite} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
    endforeach()
  else()
    gtest_discover_tests(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# rehearse_fuzzer(NAME SOURCES ... LINK ...): a fuzz target NAME, built only with REHEARSE_FUZZ (target `fuzzers` builds all), and
# in every build a ctest that gives it each file of fuzz/corpus/NAME without `_fuzz`, so that what a fuzzer once found stays found.
function(rehearse_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  string(REGEX REPLACE "_fuzz$" "" corpus ${name})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${corpus})
  add_executable(${name}_corpus ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/replay/fuzz/corpus_main.cpp)
  target_link_libraries(${name}_corpus PRIVATE rehearse_options ${arg_LINK} fmt::fmt)
  add_test(NAME ${name}.corpus COMMAND ${name}_corpus ${folder})
  set_tests_properties(${name}.corpus PROPERTIES LABELS unit TIMEOUT 120)
  if(REHEARSE_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE rehearse_options ${arg_LINK} -fsanitize=fuzzer)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
  endif()
endfunction()
