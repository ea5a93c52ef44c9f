# What every folder's CMakeLists.txt uses: a library a folder, one test executable a folder, tests beside the code.
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
